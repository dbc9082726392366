import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { flatArrays } from "../../src/engine/parameters.ts";
import { curvatureOf, learnableCurvature } from "../../src/geometry/curvature.ts";
import { lorentzLift } from "../../src/geometry/lorentz.ts";
import { lorentzPoints } from "../../src/geometry/lorentz-points.ts";
import { poincareExp0 } from "../../src/geometry/poincare.ts";
import { poincarePoints } from "../../src/geometry/poincare-points.ts";
import { createRiemannianOptimizer } from "../../src/geometry/riemannian-optimizer.ts";
import { layers } from "../../src/nn/layers.ts";
import { random } from "../../src/random.ts";

describe("curvature", () => {
  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("%d is refused", (c) => {
    const graph = createGraph("refused");
    const x = input(graph, "x", [1, 2]);
    for (const use of [
      () => lorentzPoints(c),
      () => poincarePoints(c),
      () => lorentzLift(x, c),
      () => poincareExp0(x, c),
      () => learnableCurvature(layers(graph, 0), "c", c),
    ])
      expect(use).toThrow(`c = ${c}; take a number above 0`);
  });

  it.each([1e-9, 0.5, 1, 50, 1e6])("one that trains starts at %d", (start) => {
    const graph = createGraph("start");
    output(learnableCurvature(layers(graph, 0), "c", start), { batched: false });
    const [found] = Object.values(evaluate(graph, {}));
    // The parameter is stored in single precision.
    expect(Math.abs(found.data[0] / start - 1)).toBeLessThan(3e-6);
  });

  it("stays above 0 wherever its parameter goes", () => {
    const graph = createGraph("flat");
    output(curvatureOf(input(graph, "p", [3], { batched: false })), { batched: false });
    const data = Float64Array.of(-1e3, -100, -20);
    const [{ data: found }] = Object.values(evaluate(graph, { p: { shape: [3], data } }));
    expect(Math.min(...Float32Array.from(found))).toBeGreaterThan(0);
    expect(found[2] / Math.exp(-20)).toBeCloseTo(1, 6);
  });
});

describe("points that are stored in single precision", () => {
  it("stay there after the longest step, in any direction, and come back", () => {
    for (const c of [1e-4, 1, 1e4]) {
      const m = lorentzPoints(c);
      const x = new Float32Array(4);
      m.fromOrigin(Float64Array.of(1000 / Math.sqrt(c), 0, 0), x);
      const origin = new Float32Array(4);
      m.fromOrigin(new Float64Array(3), origin);
      const away = new Float64Array(4);
      m.log(x, origin, away);
      for (let i = 0; i < 4; i++) away[i] *= -5;
      m.exp(x, away, x);
      expect([...x].every(Number.isFinite)).toBe(true);
      const distance = m.distance(x, origin) * Math.sqrt(c);
      expect(distance).toBeGreaterThan(30);
      expect(distance).toBeLessThan(40.001);
      // The geodesic home ends near the origin, as far as doubles at radius 40 can say: e⁴⁰ · 2⁻²⁴ of single precision.
      expect(Math.abs(m.log(x, origin, away) * Math.sqrt(c) - distance)).toBeLessThan(1e-9);
    }
  });

  it.each(["sgd", "adam"] as const)(
    "Riemannian %s is finite out there, with gradients of any size",
    (kind) => {
      const m = lorentzPoints();
      const rng = random(1);
      const shapes = [["points", [8, 4]]] as const;
      const [parameters, gradients] = [flatArrays(shapes), flatArrays(shapes)];
      for (let row = 0; row < 8; row++)
        m.fromOrigin(
          Float64Array.from({ length: 3 }, () => 20 * rng.normal()),
          parameters.values.subarray(row * 4, row * 4 + 4),
        );
      const optimizer = createRiemannianOptimizer({ kind }, { parameters, gradients }, () => m);
      for (let step = 0; step < 40; step++) {
        for (let i = 0; i < gradients.values.length; i++) gradients.values[i] = 1e6 * rng.normal();
        optimizer.step(0.5);
      }
      const state = Object.values(optimizer.state ?? {}).flatMap((a) => [...a.values]);
      expect([...parameters.values, ...state].every(Number.isFinite)).toBe(true);
      // Control: they have moved.
      const still = new Float32Array(4);
      m.fromOrigin(new Float64Array(3), still);
      expect(m.distance(parameters.values.subarray(0, 4), still)).toBeGreaterThan(1);
    },
  );
});
