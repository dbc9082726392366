import { describe, expect, it } from "vitest";
import type { FlatArrays } from "../../src/engine/parameters.ts";
import { flatArrays } from "../../src/engine/parameters.ts";
import { lorentzPoints } from "../../src/geometry/lorentz-points.ts";
import type { Manifold } from "../../src/geometry/manifold.ts";
import { poincarePoints } from "../../src/geometry/poincare-points.ts";
import { createRiemannianOptimizer } from "../../src/geometry/riemannian-optimizer.ts";
import type { OptimizerSpec } from "../../src/nn/optimizers.ts";
import { createOptimizer, restart } from "../../src/nn/optimizers.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";
import vectors from "../vectors/hyperbolic.json" with { type: "json" };
import { minkowski, randomPoint, worst } from "./support.ts";

const N = 3;

function arrays(shapes: [string, number[]][]): { parameters: FlatArrays; gradients: FlatArrays } {
  const parameters = flatArrays(shapes);
  return { parameters, gradients: flatArrays(shapes, parameters) };
}

describe("vectors of the specification", () => {
  const v = vectors.riemannian_step;
  it.each([
    ["sgd", v.rsgd_lr, v.x_after_rsgd],
    ["adam", v.radam_lr, v.x_after_radam_step1],
  ] as const)("one step of %s", (kind, rate, expected) => {
    const target = arrays([["points", [1, 4]]]);
    target.parameters.arrays.points.set(v.x);
    target.gradients.arrays.points.set(v.egrad);
    createRiemannianOptimizer({ kind }, target, () => lorentzPoints()).step(rate);
    // Parameters are kept in single precision.
    expect(worst([[...target.parameters.arrays.points]], [expected])).toBeLessThan(3e-7);
    expect(worst([v.x], [expected])).toBeGreaterThan(1e-3); // control
  });
  it("the Riemannian gradient", () => {
    const out = new Float64Array(4);
    lorentzPoints().gradient(Float64Array.from(v.x), Float64Array.from(v.egrad), out);
    expect(worst([[...out]], [v.rgrad])).toBeLessThan(1e-11);
  });
});

/** Partial derivatives of Σ d(x, target)², from the exact Riemannian gradient −2·log: the metric undone. */
function euclideanGradient(m: Manifold, x: Float64Array, targets: Float64Array[]): Float64Array {
  const sum = new Float64Array(x.length);
  const toward = new Float64Array(x.length);
  for (const t of targets) {
    m.log(x, t, toward);
    for (let i = 0; i < x.length; i++) sum[i] -= 2 * toward[i];
  }
  if (m.name === "lorentz") {
    sum[0] = -sum[0];
    return sum;
  }
  const gap = 1 - x.reduce((a, v) => a + v * v, 0);
  return sum.map((v) => (4 * v) / gap ** 2);
}

describe.each([
  ["lorentz", lorentzPoints()],
  ["poincare", poincarePoints()],
] as const)("%s", (_, m) => {
  const rng = random(4);
  const targets = Array.from({ length: 5 }, () => randomPoint(m, N, rng, 2));
  const cost = (x: ArrayLike<number>) =>
    targets.reduce((sum, t) => sum + m.distance(Float64Array.from(x), t) ** 2, 0);

  const descend = (spec: OptimizerSpec, steps: number, rate: (t: number) => number, radius = 3) => {
    const target = arrays([
      ["points", [2, m.coordinates(N)]],
      ["other", [3]],
    ]);
    const { points, other } = target.parameters.arrays;
    const width = m.coordinates(N);
    const start = random(8);
    for (let r = 0; r < 2; r++) points.set(randomPoint(m, N, start, radius), r * width);
    other.set([1, -2, 3]);
    const optimizer = createRiemannianOptimizer(spec, target, (name) => (name === "points" ? m : undefined));
    for (let t = 0; t < steps; t++) {
      for (let r = 0; r < 2; r++)
        target.gradients.arrays.points.set(
          euclideanGradient(m, Float64Array.from(points.subarray(r * width, (r + 1) * width)), targets),
          r * width,
        );
      target.gradients.arrays.other.set(other);
      optimizer.step(rate(t));
    }
    return { points, other, width };
  };

  it.each([
    [{ kind: "sgd" }, 200, () => 0.02],
    [{ kind: "adam" }, 800, (t: number) => 0.1 * (1 - t / 800)],
  ] as const)("%o finds the mean of five points from both starts", (spec, steps, rate) => {
    const { points, width } = descend(spec, steps, rate);
    const first = points.slice(0, width);
    // At the minimum the tangent vectors to the points cancel.
    const slope = new Float64Array(width);
    m.gradient(Float64Array.from(first), euclideanGradient(m, Float64Array.from(first), targets), slope);
    expect(m.length(Float64Array.from(first), slope)).toBeLessThan(2e-3);
    expect(m.distance(first, points.slice(width))).toBeLessThan(1e-3);
    expect(cost(first)).toBeLessThan(0.9 * Math.min(...targets.map(cost)));
  });

  it("parameters without a manifold are stepped as always, to the bit", () => {
    for (const spec of [{ kind: "sgd" }, { kind: "adam" }, { kind: "adamw" }] as const) {
      const alone = arrays([["other", [3]]]);
      alone.parameters.values.set([1, -2, 3]);
      const reference = createOptimizer(spec, alone);
      for (let t = 0; t < 5; t++) {
        alone.gradients.values.set(alone.parameters.values);
        reference.step(0.1);
      }
      expect([...descend(spec, 5, () => 0.1).other]).toEqual([...alone.parameters.values]);
    }
  });
});

it("parameters that begin anew are stepped as by a new optimiser, to the bit", () => {
  const step = (after: (optimizer: ReturnType<typeof createRiemannianOptimizer>) => void) => {
    const target = arrays([["matrix", [3]]]);
    target.gradients.arrays.matrix.set([0.3, -2, 5]);
    const optimizer = createRiemannianOptimizer({ kind: "adam" }, target, () => undefined);
    after(optimizer);
    target.parameters.arrays.matrix.fill(0);
    optimizer.step(0.1);
    return [...target.parameters.arrays.matrix];
  };
  const alone = step(() => {});
  const used = (again: boolean) =>
    step((optimizer) => {
      for (let i = 0; i < 5; i++) optimizer.step(0.1);
      if (again) restart(optimizer, ["matrix"]);
      else for (const { values } of Object.values(optimizer.state)) values.fill(0); // control: state alone
    });
  expect(used(true)).toEqual(alone);
  expect(used(false)).not.toEqual(alone);
});

it("points stay on the hyperboloid over 2000 steps; plain Adam leaves it", () => {
  const m = lorentzPoints();
  const drift = (riemannian: boolean) => {
    const target = arrays([["points", [4, N + 1]]]);
    const { points } = target.parameters.arrays;
    const rng = random(6);
    for (let r = 0; r < 4; r++) points.set(randomPoint(m, N, rng, 1), r * (N + 1));
    const optimizer = riemannian
      ? createRiemannianOptimizer({ kind: "adam" }, target, () => m)
      : createOptimizer({ kind: "adam" }, target);
    for (let t = 0; t < 2000; t++) {
      target.gradients.values.forEach((_, i) => (target.gradients.values[i] = rng.normal()));
      optimizer.step(0.01);
    }
    return Math.max(
      ...[0, 1, 2, 3].map((r) => {
        const x = points.subarray(r * (N + 1), (r + 1) * (N + 1));
        return Math.abs(minkowski(x, x) + 1) / x[0] ** 2;
      }),
    );
  };
  expect(drift(true)).toBeLessThan(1e-6);
  expect(drift(false)).toBeGreaterThan(1e-3);
});

it("optimisers without a Riemannian form are refused", () => {
  for (const spec of [{ kind: "rmsprop" }, { kind: "adamax" }, { kind: "sgd", momentum: 0.9 }] as const)
    expectProblem(
      () => createRiemannianOptimizer(spec, arrays([["points", [1, 4]]]), () => lorentzPoints()),
      /no Riemannian form/,
    );
});
