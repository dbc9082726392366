import { describe, expect, test } from "vitest";
import { halfSpaceStep } from "../../src/sparsity/half-space.ts";
import { createRegularizer } from "../../src/sparsity/regularizer.ts";
import { expectClose, vectors } from "./wgsef/reference.ts";

const v = vectors.half_space;
const partition = { groups: 4, parts: [{ parameter: "w", outer: 1, channels: 4, inner: 2 }] };
const before = () => ({ w: Float32Array.from(v.theta.flat()) });
/** float32 weights. */
const TOLERANCE = 1e-7;

function step(epsilon: number, atMost = Number.POSITIVE_INFINITY) {
  const arrays = {
    w: Float32Array.from(v.theta.flat(), (x: number, i: number) => x - v.alpha * v.grad.flat()[i]),
  };
  const pull = createRegularizer("wgsef-plain", partition).pull!(before(), {
    k: v.k,
    lambda: v.lambda_,
    alpha: v.alpha,
    mu: 0,
  });
  const keep = halfSpaceStep(partition, arrays, { before: before(), pull, alpha: v.alpha, epsilon, atMost });
  return { w: arrays.w, keep: [...keep] };
}

test("the pull is λ/u of the vectors", () => {
  const pull = createRegularizer("wgsef-plain", partition).pull!(before(), {
    k: v.k,
    lambda: v.lambda_,
    alpha: v.alpha,
    mu: 0,
  });
  expectClose(
    pull,
    v.u.map((u: number) => (u === 0 ? 0 : v.lambda_ / u)),
    1e-6,
  );
});

test("ε = 0 and .8 give the vectors' weights; zero groups stay zero although their gradient is not", () => {
  expectClose(step(0).w, v.result_eps0.flat(), TOLERANCE);
  expectClose(step(0.8).w, v.result_eps08.flat(), TOLERANCE);
  expect(step(0.8).keep).toEqual([1, 0, 0, 1]);
  // Control: the two differ, so the rule has done something.
  expect(step(0).w).not.toEqual(step(0.8).w);
});

test("no more groups die than may; the one that turned furthest goes first", () => {
  expect(step(1).keep).toEqual([0, 0, 0, 1]);
  expect(step(1, 1).keep).toEqual([1, 0, 0, 1]);
  expect(step(1, 0).keep).toEqual([1, 1, 0, 1]);
});

describe("pulls are gradients of their penalties, by finite differences", () => {
  const w = Float32Array.of(1, 0.2, 0.4, -0.3, 0.25, 0.1, -0.5, 0.5);
  const parameters = { k: 2, lambda: 0.7, alpha: 0.1, mu: 0.2 };
  const normsOf = (x: ArrayLike<number>) => [0, 1, 2, 3].map((j) => Math.hypot(x[2 * j], x[2 * j + 1]));
  /** W_2 by the sorted closed form of wgsef.md 3.1. */
  const envelope = (x: ArrayLike<number>) => {
    const a = normsOf(x).sort((p, q) => q - p);
    for (let r = 0; ; r++) {
      const tau = a.slice(r).reduce((s, n) => s + n, 0) / (2 - r);
      if ((r === 0 || a[r - 1] >= tau) && tau > a[r])
        return (a.slice(0, r).reduce((s, n) => s + n * n, 0) + tau ** 2 * (2 - r)) / 2;
    }
  };
  const half = (x: ArrayLike<number>) => normsOf(x).reduce((s, n) => s + (n * n) / 2, 0);
  const { lambda, mu } = parameters;
  test.each([
    ["wgsef-plain", (x: ArrayLike<number>) => lambda * envelope(x)],
    ["wgsef", (x: ArrayLike<number>) => lambda * envelope(x) - (lambda - mu) * half(x)],
    [
      "group-lasso",
      (x: ArrayLike<number>) => lambda * Math.SQRT2 * normsOf(x).reduce((a, b) => a + b, 0) + mu * half(x),
    ],
  ] as const)("%s", (penalty, value) => {
    const pull = createRegularizer(penalty, partition).pull!({ w }, parameters);
    for (let i = 0; i < w.length; i++) {
      const moved = (h: number) => Array.from(w, (x, c) => (c === i ? x + h : x));
      const slope = (value(moved(1e-5)) - value(moved(-1e-5))) / 2e-5;
      expect(pull[Math.floor(i / 2)] * w[i]).toBeCloseTo(slope, 6);
    }
  });
});
