import { describe, expect, test } from "vitest";
import { rebatch } from "../../../src/engine/replay.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { mlp } from "../../../src/nn/models/mlp.ts";
import type { Scores } from "../../../src/sparsity/tickets/masks.ts";
import { density, keepLargest, mapValues, weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { MLP_LAYERS } from "../../../src/sparsity/tickets/modular-mlp.ts";
import {
  graspScores,
  snipScores,
  synflowMasks,
  synflowScores,
} from "../../../src/sparsity/tickets/saliency.ts";
import { exactly, masksFrom, ruled, tinyMlp, vectors, worst } from "./vectors.ts";

const { paiScores } = vectors;
const { model, feeds } = tinyMlp();
const weights = Object.fromEntries(
  MLP_LAYERS.map((name, i) => [name, ruled(model.parameters.get(name)!.data.length, i)]),
);
const flat = (scores: Scores) => MLP_LAYERS.flatMap((name) => Array.from(scores.get(name)!));
const flatVector = (list: number[][][]) => list.flatMap((layer) => layer.flat());
const bits = (masks: ReadonlyMap<string, Uint8Array>) =>
  MLP_LAYERS.map((name) => Array.from(masks.get(name)!));
const expectedBits = (list: number[][][]) => bits(masksFrom(list));

/** Loss with logits divided by `temperature` and weights moved along `direction`. */
function lossAt(direction: Record<string, ArrayLike<number>>, amount: number, temperature = 1): number {
  const moved = Object.fromEntries(
    MLP_LAYERS.map((name) => [name, weights[name].map((w, i) => w + amount * direction[name][i])]),
  );
  const { logits } = exactly(model, feeds, moved);
  const labels = vectors.tinyMlp.labels as number[];
  return (
    labels.reduce((sum, label, row) => {
      const z = Array.from(logits.subarray(5 * row, 5 * row + 5), (v) => v / temperature);
      return sum + Math.log(z.reduce((a, v) => a + Math.exp(v), 0)) - z[label];
    }, 0) / labels.length
  );
}

/** A direction that moves one weight alone. */
const unit = (name: string, i: number) =>
  Object.fromEntries(MLP_LAYERS.map((n) => [n, weights[n].map((_, j) => Number(n === name && i === j))]));

const eachWeight = (f: (name: string, i: number) => number): Scores =>
  new Map(MLP_LAYERS.map((name) => [name, weights[name].map((_, i) => f(name, i))]));

test("SNIP: the vectors, and finite differences of the loss", async () => {
  const scores = await snipScores(model, feeds);
  expect(worst(flat(scores), flatVector(paiScores.snip))).toBeLessThan(1e-6);
  const differences = eachWeight((name, i) => {
    const h = 1e-5;
    return Math.abs(((lossAt(unit(name, i), h) - lossAt(unit(name, i), -h)) / (2 * h)) * weights[name][i]);
  });
  expect(worst(flat(scores), flat(differences))).toBeLessThan(1e-6);
});

describe("GraSP", () => {
  test("the vectors at both temperatures", async () => {
    const { grasp } = paiScores;
    const scaled = flatVector(grasp.scoreThetaHg).map((v) => v / grasp.scoreScale);
    expect(worst(flat(await graspScores(model, feeds)), scaled)).toBeLessThan(1e-5);
    const warm = flat(await graspScores(model, feeds, { temperature: 1 }));
    expect(worst(warm, flatVector(grasp.temperature1Score))).toBeLessThan(1e-5);
  });

  test("w times the derivative of half the squared gradient norm, by finite differences", async () => {
    const halfSquaredNorm = (direction: Record<string, ArrayLike<number>>, amount: number) => {
      const moved = Object.fromEntries(
        MLP_LAYERS.map((n) => [n, weights[n].map((w, i) => w + amount * direction[n][i])]),
      );
      const { gradients } = exactly(model, feeds, moved);
      return MLP_LAYERS.reduce((a, n) => a + gradients[n].reduce((b, g) => b + g * g, 0), 0) / 2;
    };
    const differences = eachWeight((name, i) => {
      const h = 1e-5;
      const d = unit(name, i);
      return ((halfSquaredNorm(d, h) - halfSquaredNorm(d, -h)) / (2 * h)) * weights[name][i];
    });
    const scores = await graspScores(model, feeds, { temperature: 1 });
    expect(worst(flat(scores), flat(differences))).toBeLessThan(1e-5);
    const noHessian = await snipScores(model, feeds);
    expect(worst(flat(noHessian), flat(differences))).toBeGreaterThan(0.5);
  });
});

describe("SynFlow", () => {
  const ones = { counts: tensor("float32", [1, 5], [1, 1, 1, 1, 1]) };

  test("the vectors for both inputs; every layer's scores add up to R", async () => {
    const one = rebatch(model, 1);
    for (const { scores: expected, R, x } of [
      paiScores.synflow.inputOnes,
      paiScores.synflow.inputTokenCounts,
    ]) {
      const counts = x ? { counts: tensor("float32", [1, 5], x) } : ones;
      const scores = await synflowScores(one, counts);
      expect(worst(flat(scores), flatVector(expected))).toBeLessThan(1e-6);
      for (const layer of scores.values())
        expect(Array.from(layer).reduce((a, b) => a + b, 0) / R).toBeCloseTo(1, 5);
    }
  });

  test("by finite differences of R: all paths from ones to outputs through |w|", async () => {
    const R = (w: Record<string, Float64Array>) => {
      const through = (m: Float64Array, columns: number, x: number[]) =>
        Array.from({ length: m.length / columns }, (_, r) =>
          x.reduce((a, v, c) => a + Math.abs(m[r * columns + c]) * v, 0),
        );
      const width = through(w.outproj, 3, through(w.inproj, 4, through(w.embed, 5, [1, 1, 1, 1, 1])));
      return width.reduce(
        (a, v, r) => a + v * w.unembed.slice(5 * r, 5 * r + 5).reduce((b, u) => b + Math.abs(u), 0),
        0,
      );
    };
    const differences = eachWeight((name, i) => {
      const h = 1e-6 * Math.sign(weights[name][i]);
      const moved = (s: number) => ({
        ...weights,
        [name]: weights[name].map((v, j) => (i === j ? v + s * h : v)),
      });
      return ((R(moved(1)) - R(moved(-1))) / (2 * Math.abs(h))) * Math.abs(weights[name][i]);
    });
    expect(worst(flat(await synflowScores(rebatch(model, 1), ones)), flat(differences))).toBeLessThan(1e-6);
  });

  test("one-shot and iterative masks of the vectors", async () => {
    const one = rebatch(model, 1);
    const { oneShotMaskK05, iterativeMaskK05n10 } = paiScores.synflow;
    const before = weightsOf(model);
    expect(bits(await synflowMasks(one, ones, 0.5, { rounds: 1 }))).toEqual(expectedBits(oneShotMaskK05));
    expect(bits(await synflowMasks(one, ones, 0.5, { rounds: 10 }))).toEqual(
      expectedBits(iterativeMaskK05n10),
    );
    expect(expectedBits(oneShotMaskK05)).not.toEqual(expectedBits(iterativeMaskK05n10));
    expect(weightsOf(model)).toEqual(before);
  });

  test("in no round at all it is refused", async () => {
    await expect(synflowMasks(rebatch(model, 1), ones, 0.5, { rounds: 0 })).rejects.toThrow(
      "in 0 rounds; take",
    );
  });

  test("what is gone stays gone where living weights score nothing", async () => {
    const { model: idle } = tinyMlp();
    idle.parameters.get("unembed")!.data.fill(0);
    const masks = await synflowMasks(rebatch(idle, 1), ones, 0.5, { rounds: 20 });
    expect(density(masks).total).toBe(0.5);
  });
});

test("the model's batch does not matter, and biases get no scores", async () => {
  const small = mlp({ inputShape: [5], classes: 3, hidden: [4], batch: 1, seed: 1 });
  const samples = {
    input: tensor("float32", [2, 5], [1, 0, 0, 1, 0, 0, 2, 0, 0, -1]),
    labels: tensor("int32", [2], [0, 2]),
  };
  for (const scoresOf of [snipScores, graspScores]) {
    const scores = await scoresOf(small, samples);
    expect([...scores.keys()]).toEqual(["fc1.weight", "fc2.weight"]);
    expect(scores).toEqual(await scoresOf(rebatch(small, 2), samples));
  }
  const { input } = samples;
  expect([...(await synflowMasks(small, { input }, 0.5, { rounds: 2 })).keys()]).toEqual([
    "fc1.weight",
    "fc2.weight",
  ]);
});

test("masks at .6 of SNIP, GraSP and SynFlow are those of the vectors; a flipped sign of GraSP is caught", async () => {
  const { snip, grasp, synflow } = paiScores.masksK06;
  expect(bits(keepLargest(await snipScores(model, feeds), 0.6))).toEqual(expectedBits(snip));
  const scores = await graspScores(model, feeds);
  expect(bits(keepLargest(scores, 0.6))).toEqual(expectedBits(grasp));
  const reversed = mapValues(scores, (s) => Float64Array.from(s, (v) => -v));
  expect(bits(keepLargest(reversed, 0.6))).not.toEqual(expectedBits(grasp));
  const flow = await synflowScores(rebatch(model, 1), { counts: tensor("float32", [1, 5], [1, 1, 1, 1, 1]) });
  expect([bits(keepLargest(flow, 0.6))]).toEqual([expectedBits(synflow)]);
});
