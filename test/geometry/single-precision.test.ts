/** ONNX Runtime in single precision, at the edge and at the origin, against double precision at the same points. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/engine/gradients.ts";
import type { Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import {
  acosh,
  add,
  concat,
  div,
  mul,
  neg,
  reduceSum,
  reduceSumSquare,
  sub,
} from "../../src/engine/operators/index.ts";
import type { Numeric } from "../../src/engine/operators/operator.ts";
import { createSession } from "../../src/engine/session.ts";
import { lorentzMlr } from "../../src/geometry/decoders.ts";
import {
  lorentzDistance,
  lorentzExp,
  lorentzExp0,
  lorentzInner,
  lorentzLift,
  lorentzLog,
  lorentzLog0,
  lorentzMidpoint,
  lorentzTransport,
} from "../../src/geometry/lorentz.ts";
import { lorentzPoints } from "../../src/geometry/lorentz-points.ts";
import {
  mobiusAdd,
  poincareDistance,
  poincareExp0,
  poincareLog,
  poincareLog0,
  poincareProject,
} from "../../src/geometry/poincare.ts";
import { poincarePoints } from "../../src/geometry/poincare-points.ts";
import { layers } from "../../src/nn/layers.ts";
import { random } from "../../src/random.ts";
import { inDouble, inSingle, numeric, randomPoint } from "./support.ts";

const N = 4;
const finite = (rows: number[][]) => rows.flat().every(Number.isFinite);

/** Pairs of spatial parts in single precision, at a radius in random directions; `apart` from each other, if given. */
function pairs(radius: number, apart?: number) {
  const m = lorentzPoints();
  const rng = random(radius);
  const rows = Array.from({ length: 20 }, () => {
    const x = randomPoint(m, N, rng, radius).map(Math.fround);
    m.project(x);
    const y = randomPoint(m, N, rng, radius);
    if (apart !== undefined) {
      const v = new Float64Array(N + 1);
      const length = m.log(x, y, v);
      m.exp(
        x,
        v.map((a) => (a * apart) / length),
        y,
      );
    }
    return [x, y.map(Math.fround)].map((p) => [...p.slice(1)]);
  });
  return [numeric(rows.map((r) => r[0])), numeric(rows.map((r) => r[1]))] as const;
}

/** Largest relative error of one column. */
function relativeError(found: number[][], expected: number[][]): number {
  return Math.max(...found.map(([f], i) => Math.abs(f / expected[i][0] - 1)));
}

const lifted = (f: (x: Value, y: Value) => Value) => (x: Value, y: Value) =>
  f(lorentzLift(x), lorentzLift(y));
const textbook = (x: Value, y: Value) => acosh(neg(lorentzInner(x, y)));

describe("the hyperboloid far out", () => {
  it.each([
    [2, 1e-3],
    [6, 0.1],
    [10, 0.1],
    [10, 5],
    [17, undefined],
    [35, undefined],
  ])("distances at radius %d, %s apart, are as exact as the coordinates", async (radius, apart) => {
    const [x, y] = pairs(radius, apart);
    const f = lifted(lorentzDistance);
    const expected = inDouble(f, x, y);
    const found = await inSingle(f, x, y);
    // What the last bit of one coordinate changes.
    const lastBit = new Float64Array(expected.length);
    for (let axis = 0; axis < N; axis++) {
      const data = x.data.map((v, i) => (i % N === axis ? v * (1 + 2 ** -23) : v));
      inDouble(f, { ...x, data }, y).forEach(([d], i) => {
        lastBit[i] = Math.max(lastBit[i], Math.abs(d - expected[i][0]));
      });
    }
    found.forEach(([d], i) =>
      expect(Math.abs(d - expected[i][0])).toBeLessThan(4 * lastBit[i] + 1e-6 * expected[i][0]),
    );
  });

  it("control: arcosh(−⟨x, y⟩) is wrong there", async () => {
    const [x, y] = pairs(10, 0.1);
    const expected = inDouble(lifted(lorentzDistance), x, y);
    const found = await inSingle(lifted(textbook), x, y);
    expect(found.some(([d], i) => !(Math.abs(d / expected[i][0] - 1) < 0.1))).toBe(true);
  });

  it("log, exp and transport at radius 10, measured in the space, are right to 1/200", async () => {
    const [x, y] = pairs(10, 1);
    const back = lifted((p, q) => lorentzDistance(lorentzExp(p, lorentzLog(p, q)), q));
    expect(Math.max(...(await inSingle(back, x, y)).flat())).toBeLessThan(5e-3);
    const m = lorentzPoints();
    // The geodesic's direction at x arrives at y as minus the log of the way back.
    const moved = await inSingle(
      lifted((p, q) => lorentzTransport(p, q, lorentzLog(p, q))),
      x,
      y,
    );
    const way = inDouble(
      lifted((p, q) => lorentzLog(q, p)),
      x,
      y,
    );
    inDouble((q) => lorentzLift(q), y).forEach((q, i) => {
      const difference = Float64Array.from(moved[i], (v, k) => v + way[i][k]);
      expect(m.length(Float64Array.from(q), difference)).toBeLessThan(5e-3);
      expect(m.length(Float64Array.from(q), Float64Array.from(way[i]))).toBeGreaterThan(0.9); // control
    });
  });

  it("transport is right to a tenth from radius 12 to 1, and between neighbours, where the textbook is not", async () => {
    const rng = random(4);
    const m = lorentzPoints();
    const spaces = (radius: number) =>
      numeric(
        Array.from({ length: 20 }, () => [...randomPoint(m, N, rng, radius).slice(1)].map(Math.fround)),
      );
    const moved = lifted((p, q) => lorentzTransport(p, q, lorentzLog(p, q)));
    const textbook = lifted((p, q) => {
      const v = lorentzLog(p, q);
      return add(v, mul(div(lorentzInner(q, v), sub(1, lorentzInner(p, q))), add(p, q)));
    });
    const error = (x: Numeric, y: Numeric, found: number[][]) => {
      const expected = inDouble(moved, x, y);
      return Math.max(
        ...inDouble((q) => lorentzLift(q), y).map((q, i) => {
          const at = Float64Array.from(q);
          const difference = Float64Array.from(found[i], (v, k) => v - expected[i][k]);
          return m.length(at, difference) / m.length(at, Float64Array.from(expected[i]));
        }),
      );
    };
    const inward = [spaces(12), spaces(1)] as const;
    expect(error(...inward, await inSingle(moved, ...inward))).toBeLessThan(0.1);
    const neighbours = pairs(12, 0.5);
    expect(error(...neighbours, await inSingle(moved, ...neighbours))).toBeLessThan(0.1);
    expect(error(...neighbours, inDouble(textbook, ...neighbours))).toBeLessThan(1e-3);
    expect(error(...neighbours, await inSingle(textbook, ...neighbours))).toBeGreaterThan(1); // control
  });

  it.each([1e-4, 1, 1e6])("curvature −%d: maps are finite at radius 35, and gradients at 20", async (c) => {
    const m = lorentzPoints(c);
    const rng = random(3);
    const points = (radius: number) =>
      Array.from({ length: 6 }, () => [...randomPoint(m, N, rng, radius / Math.sqrt(c)).slice(1)]);
    const curvature = numeric([[c]]);
    const maps: Record<string, (x: Value, y: Value, c: Value) => Value> = {
      distance: lorentzDistance,
      log: lorentzLog,
      log0: (x, _, k) => lorentzLog0(x, k),
      there: (x, y, k) => lorentzExp(x, lorentzLog(x, y, k), k),
      beyond: (x, y, k) => lorentzExp(x, mul(lorentzLog(x, y, k), -10), k),
      transport: (x, y, k) => lorentzTransport(x, y, lorentzLog(x, y, k), k),
    };
    const at = (f: (x: Value, y: Value, c: Value) => Value) => (p: Value, q: Value, k: Value) =>
      f(lorentzLift(p, k), lorentzLift(q, k), k);
    for (const radius of [20, 35]) {
      const [near, far, other] = [points(1e-6), points(radius), points(radius)];
      const x = numeric([...far, ...far, ...near, ...far]);
      const y = numeric([...other, ...near, ...far, ...far]);
      for (const [name, f] of Object.entries(maps)) {
        expect([name, finite(await inSingle(at(f), x, y, curvature))]).toEqual([name, true]);
        if (radius === 35) continue;
        const slopes = (p: Value, q: Value, k: Value) => {
          const [gp, gq, gk] = gradients(reduceSum(at(f)(p, q, k)), [p, q, k]);
          return concat([gp, gq, add(mul(p, 0), gk)], 1);
        };
        expect([name, finite(await inSingle(slopes, x, y, curvature))]).toEqual([name, true]);
      }
    }
    // What would lie beyond radius 40 is pulled back to it; where c < 1 to where coordinates are as large.
    const out = await inSingle(at(maps.beyond), numeric(points(30)), numeric(points(1)), curvature);
    for (const row of out) {
      const radius = Math.asinh(Math.hypot(...row.slice(1)) * Math.sqrt(c));
      expect(radius).toBeGreaterThan(35);
      expect(radius).toBeLessThan(40.001);
    }
  });

  it("the logits of a plane at any offset are finite, and so are their gradients", async () => {
    const [x] = pairs(17);
    const graph = createGraph("mlr");
    const points = input(graph, "x", x.shape, { batched: false });
    const logits = lorentzMlr(layers(graph, 1), "classes", lorentzLift(points), 3);
    graph.parameters.get("classes.offset")!.data.set([1e3, -1e3, 90]);
    const slope = gradients(reduceSum(logits), [points])[0];
    for (const v of [logits, slope]) output(v, { batched: false });
    const session = await createSession(graph, { device: "cpu", threads: 1 });
    const found = await session.run({
      x: { dtype: "float32", shape: x.shape, data: Float32Array.from(x.data) },
    });
    await session.release();
    for (const v of [logits, slope])
      expect([...(found[v.name].data as Float32Array)].every(Number.isFinite)).toBe(true);
  });

  it("every map is finite for tangent vectors of any length", async () => {
    const u = numeric([
      [1e3, 0, 0, 0],
      [-30, 30, 5, 0],
      [1e18, 1e17, 0, 1],
    ]);
    for (const f of [
      (v: Value) => lorentzExp0(v),
      (v: Value) => lorentzLog0(lorentzExp0(v)),
      (v: Value) => lorentzDistance(lorentzExp0(v), lorentzExp0(neg(v))),
    ]) {
      expect(finite(await inSingle(f, u))).toBe(true);
      expect(finite(await inSingle((v) => gradients(reduceSum(f(v)), [v])[0], u))).toBe(true);
    }
  });

  it("the midpoint of one point with itself is that point, with a gradient", async () => {
    const [x] = pairs(5, 1);
    const weights = numeric(
      Array.from({ length: 20 }, (_, i) => Array.from({ length: 20 }, (_, j) => Number(i === j))),
    );
    const found = await inSingle(
      (w, p) => lorentzDistance(lorentzMidpoint(w, lorentzLift(p)), lorentzLift(p)),
      weights,
      x,
    );
    expect(Math.max(...found.flat())).toBeLessThan(2e-3);
    const slope = (w: Value, p: Value) =>
      gradients(reduceSum(lorentzLog0(lorentzMidpoint(w, lorentzLift(p)))), [p])[0];
    const expected = inDouble(slope, weights, x);
    const error = (await inSingle(slope, weights, x)).flat().map((g, i) => Math.abs(g - expected.flat()[i]));
    expect(Math.max(...error)).toBeLessThan(1e-3 * Math.max(...expected.flat().map(Math.abs)));
  });
});

describe("near the origin", () => {
  const sizes = [0, 1e-36, 1e-20, 1e-12, 1e-8, 1e-6, 1e-3];
  const u = numeric(sizes.map((s) => [s, -s, s / 2, 0]));

  it.each([
    ["lorentz", (v: Value) => lorentzLog0(lorentzExp0(v))],
    ["poincare", (v: Value) => poincareLog0(poincareExp0(v))],
  ] as const)("%s: log₀ exp₀ is the identity, and so is its gradient", async (_, f) => {
    const found = await inSingle(f, u);
    found.forEach((row, r) =>
      row.forEach((v, i) => expect(Math.abs(v - u.data[r * N + i])).toBeLessThanOrEqual(2e-7 * sizes[r])),
    );
    const slope = await inSingle((v) => gradients(reduceSum(f(v)), [v])[0], u);
    for (const g of slope.flat()) expect(Math.abs(g - 1)).toBeLessThan(1e-5);
  });

  it.each([
    ["lorentz", lifted(lorentzDistance)],
    ["poincare", poincareDistance],
  ] as const)(
    "%s: distances of points 1e-20 … 1e-3 from each other keep six digits; their gradient is finite at 0",
    async (_, f) => {
      const v = numeric(sizes.map((s) => [s, s, 0, 0]));
      const nonzero = (rows: number[][]) => rows.slice(2).filter((_, i) => sizes[i + 2] >= 1e-12);
      expect(relativeError(nonzero(await inSingle(f, u, v)), nonzero(inDouble(f, u, v)))).toBeLessThan(1e-6);
      const slope = await inSingle((x, y) => gradients(reduceSum(f(x, y)), [x])[0], u, v);
      expect(finite(slope)).toBe(true);
      expect(
        (await inSingle((x) => gradients(reduceSum(f(x, x)), [x])[0], u))
          .flat()
          .every((g) => Math.abs(g) < 1e-12),
      ).toBe(true);
    },
  );

  it("control: arcosh(−⟨x, y⟩) gives 0 there, and gradients that are no numbers", async () => {
    const f = lifted(textbook);
    expect(
      (await inSingle(f, u, numeric(sizes.map((s) => [s, s, 0, 0]))))
        .slice(0, 5)
        .flat()
        .every((d) => !(d > 0)),
    ).toBe(true);
    expect(finite(await inSingle((x) => gradients(reduceSum(f(x, x)), [x])[0], u))).toBe(false);
  });
});

describe("the ball's edge", () => {
  const edge = 1 - 2 ** -24;
  const x = numeric([
    [edge, 0],
    [0, -edge],
    [0.6, 0.8],
    [edge, 0],
  ]);
  const y = numeric([
    [-edge, 0],
    [0, edge],
    [0.1, 0.2],
    [edge, 0],
  ]);

  it("every map and its gradient are finite at the last point before the edge", async () => {
    for (const f of [
      (p: Value, q: Value) => poincareDistance(p, q),
      (p: Value, q: Value) => poincareLog(p, q),
      (p: Value) => poincareLog0(p),
      (p: Value, q: Value) => poincareProject(mobiusAdd(p, q)),
    ]) {
      expect(finite(await inSingle(f, x, y))).toBe(true);
      expect(finite(await inSingle((p, q) => gradients(reduceSum(f(p, q)), [p])[0], x, y))).toBe(true);
    }
  });

  it("control: the textbook distance is not", async () => {
    const gap = (p: Value) => sub(1, reduceSumSquare(p, [-1], { keepDims: true }));
    const naive = (p: Value, q: Value) => {
      const ratio = mul(reduceSumSquare(sub(p, q), [-1], { keepDims: true }), 2);
      const under = mul(gap(p), gap(q));
      return acosh(concat([mul(ratio, under), ratio], 1));
    };
    expect(finite(await inSingle((p, q) => gradients(reduceSum(naive(p, q)), [p])[0], x, y))).toBe(false);
  });

  it("distances at the projection's radius keep two digits", async () => {
    const m = poincarePoints(1, { margin: 4e-3 });
    const rng = random(2);
    const rows = Array.from({ length: 20 }, () => [...randomPoint(m, N, rng, 8)].map(Math.fround));
    const others = Array.from({ length: 20 }, () => [...randomPoint(m, N, rng, 8)].map(Math.fround));
    const [a, b] = [numeric(rows), numeric(others)];
    expect(
      relativeError(await inSingle(poincareDistance, a, b), inDouble(poincareDistance, a, b)),
    ).toBeLessThan(1e-3);
  });
});
