import { expect, test } from "vitest";
import { flatArrays } from "../../../src/engine/parameters.ts";
import { random } from "../../../src/random.ts";
import { createRegularizer } from "../../../src/sparsity/regularizer.ts";
import { debiasedProxFactors } from "../../../src/sparsity/wgsef/debiased.ts";
import { proxFactors } from "../../../src/sparsity/wgsef/prox.ts";
import { proxSingleWeights } from "../../../src/sparsity/wgsef/single-weights.ts";

/** Weights in an arena, at an odd place between others; a tenth of them zero, some tied. */
function point(m: number, seed: number): { w: Float32Array; neighbours: () => number[] } {
  const rng = random(seed);
  const { arrays } = flatArrays([
    ["before", [3]],
    ["w", [m]],
    ["after", [4]],
  ]);
  for (const name of ["before", "after"]) arrays[name].fill(7);
  arrays.w.forEach((_, i) => {
    const u = rng.uniform();
    arrays.w[i] = u < 0.1 ? 0 : u < 0.2 ? 0.25 : rng.normal() * 10 ** (-2 * rng.uniform());
  });
  return { w: arrays.w, neighbours: () => [...arrays.before, ...arrays.after] };
}

const steps = [
  { lambda: 0.05, alpha: 0.5, mu: undefined },
  { lambda: 3, alpha: 1, mu: undefined },
  { lambda: 0, alpha: 0.5, mu: undefined },
  { lambda: 0.05, alpha: 0.5, mu: 5e-4 },
  { lambda: 0.9, alpha: 1, mu: 1e-4 },
  { lambda: 0, alpha: 0.1, mu: 1e-5 },
];

test("is the step by norms and factors, for any number of weights, metric and share that stays", () => {
  for (const [i, { mu, ...step }] of steps.entries())
    for (const m of [1, 3, 6, 511, 513, 4099])
      for (const share of [0.05, 0.5, 0.95]) {
        const { w, neighbours } = point(m, 10 * m + i);
        const start = w.slice();
        const k = Math.max(0.5, share * m);
        const norms = Float64Array.from(w, Math.abs);
        const { factors } =
          mu === undefined
            ? proxFactors({ ...step, k, norms })
            : debiasedProxFactors({ ...step, k, mu, norms });
        const result = proxSingleWeights(w, { ...step, k, mu })!;
        let wrong = 0;
        let wrongWithoutThreshold = 0;
        start.forEach((x, j) => {
          const exact = factors[j] * x;
          const rounding = 2 * 2 ** -23 * Math.abs(exact) + 1e-15;
          wrong += Number(Math.abs(w[j] - exact) > rounding || (w[j] === 0) !== (exact === 0));
          wrongWithoutThreshold += Number(Math.abs(start[j] - exact) > rounding);
          if (w[j] === 0) expect(w[j]).toBe(0);
          expect((w[j] === 0) === Math.abs(x) <= result.zero || x === 0).toBe(true);
          // What is left tells where it comes from.
          if (w[j] !== 0) expect(Math.abs(result.before(w[j]) / Math.abs(x) - 1)).toBeLessThan(2e-6);
        });
        expect(wrong).toBe(0);
        // Control: the check would see a step that does nothing.
        if (m > 500 && step.lambda > 0) expect(wrongWithoutThreshold).toBeGreaterThan(m / 100);
        expect(neighbours()).toEqual(Array(7).fill(7));
      }
});

test("declines what it cannot do, and leaves the weights as they are", () => {
  const step = { k: 2, lambda: 0.5, alpha: 0.5 };
  expect(proxSingleWeights(Float32Array.of(1, 2, 3), step)).toBeUndefined();
  const { w } = point(600, 1);
  const start = w.slice();
  // The hard limit of the debiased envelope.
  expect(proxSingleWeights(w, { ...step, lambda: 10, mu: 0 })).toBeUndefined();
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    w[5] = bad;
    expect(proxSingleWeights(w, step)).toBeUndefined();
    w[5] = start[5];
  }
  expect([...w]).toEqual([...start]);
});

test("a regulariser takes it for single weights, and says the same of them as the step by norms", () => {
  const m = 700;
  const partition = { groups: m, parts: [{ parameter: "w", outer: 1, channels: m, inner: 1 }] };
  for (const penalty of ["wgsef", "wgsef-plain"] as const) {
    const { w } = point(m, 3);
    const apart = w.slice();
    const step = { k: 70, lambda: 0.3, alpha: 0.5, mu: 1e-3 };
    const [inside, outside] = [createRegularizer(penalty, partition), createRegularizer(penalty, partition)];
    inside.prox({ w }, step);
    // Not in an arena: by norms and factors.
    outside.prox({ w: apart }, step);
    apart.forEach((x, j) => expect(Math.abs(w[j] - x)).toBeLessThanOrEqual(3 * 2 ** -23 * Math.abs(x)));
    const [left, right] = [inside.undecided(), outside.undecided()];
    expect(left.length).toBeGreaterThan(0);
    expect(left.map(({ group }) => group)).toEqual(right.map(({ group }) => group));
    left.forEach(({ norm, zero, whole }, i) => {
      expect(Math.abs(norm / right[i].norm - 1)).toBeLessThan(2e-6);
      expect(Math.abs(zero / right[i].zero - 1)).toBeLessThan(1e-9);
      expect(Math.abs(whole! / right[i].whole! - 1)).toBeLessThan(1e-9);
    });
    // Control: costs lead past it, to another answer.
    const { w: costly } = point(m, 3);
    const c = Float64Array.from({ length: m }, (_, j) => 1 + (j % 2));
    createRegularizer(penalty, partition).prox({ w: costly }, { ...step, c });
    expect(costly.every((x, j) => x === w[j])).toBe(false);
  }
});
