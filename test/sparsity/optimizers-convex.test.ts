import { describe, expect, test } from "vitest";
import type { Solve } from "./convex-regression.ts";
import { solve } from "./convex-regression.ts";

/**
 * A convex problem whose optimum another implementation certified to 1e-13: each optimiser must arrive there through
 * trainer and joint, and say so by its certificate. Weights are float32, which leaves about 1e-12 of both.
 */
const sgd: Solve = { epochs: 600 };
const batches: Solve = { epochs: 300, batch: 10, rate: 0.2 };
const adam: Solve = { epochs: 1500, optimizer: { kind: "adam" }, rate: 0.03 };

const cases: [name: string, options: Solve][] = [
  ["ProxSG on all samples", sgd],
  ["ProxSVRG on batches, at a constant rate", { ...batches, method: { varianceReduction: true } }],
  ["ProxAdam with the block metric", { ...adam, method: { metric: "block" } }],
  ["ProxAdam with the metric of single weights", { ...adam, method: { metric: "weight" } }],
  ["HSPG", { ...sgd, method: { steps: "half-space" } }],
  ["AdaHSPG+", { ...batches, epochs: 600, method: { steps: "adaptive" } }],
];

test.each(cases)("%s reaches the optimum, and its certificate closes", async (_, options) => {
  const { excess, gap, support } = await solve(options);
  expect(Math.abs(excess)).toBeLessThan(1e-10);
  expect(gap).toBeLessThan(1e-9);
  expect(support).toEqual([1, 5, 8]);
});

test("AdaHSPG+ takes both kinds of steps: from zero only proximal ones lead away", async () => {
  const { history } = await solve({ ...batches, epochs: 60, method: { steps: "adaptive" } });
  const kinds = history.map(({ metrics }) => metrics["half-space"]);
  expect(kinds[0]).toBe(0);
  expect(new Set(kinds)).toEqual(new Set([0, 1]));
});

const controls: [name: string, options: Solve][] = [
  ["ProxSG on batches, at the same constant rate", batches],
  ["Adam with the Euclidean proximal step", { ...adam, method: { metric: "decoupled" } }],
  ["ProxSG that stops early", { ...sgd, epochs: 15 }],
];

test.each(controls)("control: %s stays away from it, and the certificate stays open", async (_, options) => {
  const { excess, gap } = await solve(options);
  expect(excess).toBeGreaterThan(1e-5);
  expect(gap).toBeGreaterThan(1e-3);
});

describe("momentum β", () => {
  const momentum: Solve = { epochs: 600, optimizer: { kind: "sgd", momentum: 0.9 }, rate: 0.2 };

  test("solves loss + (1 − β)·penalty, and the certificate knows", async () => {
    const { excess, gap } = await solve({ ...momentum, lambda: 1 });
    expect(Math.abs(excess)).toBeLessThan(1e-10);
    expect(gap).toBeLessThan(1e-9);
  });

  test("control: a certificate that is not told stays open", async () => {
    const { gap } = await solve({ ...momentum, lambda: 1, told: { kind: "sgd" } });
    expect(gap).toBeGreaterThan(0.1);
  });
});

test("a fixed λ ends after five epochs with the number and a loss at rest, and cuts nothing", async () => {
  const { history, sparsifier } = await solve(sgd);
  const reached = history.findIndex((_, i) =>
    history.slice(i).every((record) => record.metrics["groups/w"] === 3),
  );
  const stop = history.findIndex((_, i) => sparsifier.stopWhen!(history.slice(0, i + 1)));
  expect(stop).toBeGreaterThanOrEqual(reached + 4);
  for (const record of history.slice(stop - 4, stop + 1)) expect(record.metrics["groups/w"]).toBe(3);
  const [last, previous] = [history[stop], history[stop - 1]];
  expect(Math.abs(last.loss - previous.loss)).toBeLessThan(1e-3 * previous.loss);
  expect(sparsifier.outcomes()).toMatchObject([{ natural: 3, forced: 0 }]);
  expect(sparsifier.commit()).toBeUndefined();
});

test("control: where the envelope leaves more than k, a fixed λ never says it is done", async () => {
  const { history, sparsifier } = await solve({ ...sgd, k: 2 });
  expect(sparsifier.outcomes()).toMatchObject([{ keep: 2, natural: 3, forced: 0 }]);
  expect(history.some((_, i) => sparsifier.stopWhen!(history.slice(0, i + 1)))).toBe(false);
});

test("undecided groups lie between the thresholds of the step, and the metrics count them", async () => {
  const { sparsifier, between, history } = await solve({ ...sgd, k: 5 });
  const [{ undecided }] = sparsifier.outcomes();
  expect(between).toBeGreaterThan(0);
  expect(undecided).toHaveLength(Math.min(10, between));
  for (const { norm, zero, whole } of undecided) {
    expect(norm).toBeGreaterThan(zero);
    expect(norm).toBeLessThan(whole!);
  }
  const { metrics } = history.at(-1)!;
  expect([metrics["smallest/w"], metrics["threshold/w"]]).toEqual([undecided[0].norm, undecided[0].zero]);
});
