import { expect, test } from "vitest";
import { random } from "../../../src/random.ts";
import { debiasedProxFactors } from "../../../src/sparsity/wgsef/debiased.ts";
import { debiasedPerWeightProx } from "../../../src/sparsity/wgsef/per-weight.ts";
import { wgsefValue } from "../../../src/sparsity/wgsef/value.ts";

const [groups, size] = [8, 3];
const starts = Uint32Array.from({ length: groups + 1 }, (_, j) => j * size);

function draw(seed: number, spread: number) {
  const rng = random(seed);
  const weights = Float64Array.from(
    { length: groups * size },
    (_, i) => rng.normal() / (1 + Math.floor(i / size)),
  );
  const metric = weights.map(() => 1 + spread * rng.uniform());
  return { weights, metric, rng };
}

test("with one metric a group it is the block prox, on all its branches", () => {
  for (let trial = 0; trial < 200; trial++) {
    const { weights, rng } = draw(trial, 0);
    const h = Float64Array.from({ length: groups }, () => 0.5 + rng.uniform());
    const step = { k: 3, alpha: 0.4, lambda: 5 * rng.uniform() ** 2 + 1e-3, mu: 0.1 };
    const norms = Float64Array.from({ length: groups }, (_, j) =>
      Math.hypot(...weights.subarray(j * size, (j + 1) * size)),
    );
    const { factors } = debiasedProxFactors({ ...step, norms, h });
    const found = weights.slice();
    debiasedPerWeightProx({
      ...step,
      weights: found,
      metric: weights.map((_, i) => h[Math.floor(i / size)]),
      starts,
    });
    found.forEach((w, i) => expect(w).toBeCloseTo(weights[i] * factors[Math.floor(i / size)], 9));
  }
});

test("it minimises penalty plus distance in its metric: no nearby point is lower", () => {
  for (let trial = 0; trial < 20; trial++) {
    const { weights, metric, rng } = draw(trial, 2);
    const step = { k: 3, alpha: 0.4, lambda: 0.2 + 1.5 * rng.uniform(), mu: 0.1 };
    const objective = (w: Float64Array) => {
      const norms = Float64Array.from({ length: groups }, (_, j) =>
        Math.hypot(...w.subarray(j * size, (j + 1) * size)),
      );
      const half = norms.reduce((s, n) => s + (n * n) / 2, 0);
      const distance = w.reduce((s, x, i) => s + (metric[i] * (x - weights[i]) ** 2) / (2 * step.alpha), 0);
      return step.lambda * wgsefValue(norms, step).value - (step.lambda - step.mu) * half + distance;
    };
    const found = weights.slice();
    debiasedPerWeightProx({ ...step, weights: found, metric, starts });
    const least = objective(found);
    for (const scale of [1e-1, 1e-2, 1e-3])
      for (let i = 0; i < 60; i++)
        expect(
          objective(found.map((w) => (rng.uniform() < 0.5 ? w : w + scale * rng.normal()))),
        ).toBeGreaterThan(least - 1e-12);
    // Control: one hundredth off is beaten.
    expect(objective(found.map((w) => 1.01 * w))).toBeGreaterThan(least + 1e-6);
  }
});

test("beyond the floor it is the hard limit: the k best groups stay, under weight decay", () => {
  const { weights, metric } = draw(1, 1);
  const found = weights.slice();
  const step = { k: 3, alpha: 0.4, mu: 0.1 };
  const u = debiasedPerWeightProx({ ...step, lambda: 100, weights: found, metric, starts });
  const score = (j: number) =>
    [0, 1, 2].reduce((s, o) => {
      const [h, t] = [metric[j * size + o], weights[j * size + o]];
      return s + (h * h * t * t) / (h + step.alpha * step.mu);
    }, 0);
  const best = [...u.keys()].sort((a, b) => score(b) - score(a)).slice(0, 3);
  expect([...u.keys()].filter((j) => u[j] === 1)).toEqual(best.sort((a, b) => a - b));
  found.forEach((w, i) =>
    expect(w).toBeCloseTo(
      best.includes(Math.floor(i / size)) ? (weights[i] * metric[i]) / (metric[i] + 0.04) : 0,
      12,
    ),
  );
});
