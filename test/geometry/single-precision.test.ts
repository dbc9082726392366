/** ONNX Runtime in single precision, at the edge and at the origin, against double precision at the same points. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/engine/gradients.ts";
import type { Value } from "../../src/engine/graph.ts";
import {
  acosh,
  concat,
  mul,
  neg,
  reduceSum,
  reduceSumSquare,
  sub,
} from "../../src/engine/operators/index.ts";
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
