/** Laws that hold in every space of constant negative curvature, for both models and both faces of the library. */
import { describe, expect, it } from "vitest";
import { softplus } from "../../src/engine/operators/index.ts";
import * as lorentz from "../../src/geometry/lorentz.ts";
import { lorentzPoints } from "../../src/geometry/lorentz-points.ts";
import type { Manifold } from "../../src/geometry/manifold.ts";
import * as poincare from "../../src/geometry/poincare.ts";
import { poincarePoints } from "../../src/geometry/poincare-points.ts";
import { random } from "../../src/random.ts";
import { gradientError } from "../engine/operators/gradient-check.ts";
import vectors from "../vectors/hyperbolic.json" with { type: "json" };
import { inDouble, minkowski, numeric, randomPoint, randomTangent, rowsOf, worst } from "./support.ts";

// With their roots exact in single precision, which is what the graph keeps its constants in.
const CURVATURES = [1, 0.25, 4];
const N = 3;
const models = {
  lorentz: {
    points: lorentzPoints,
    distance: lorentz.lorentzDistance,
    exp: lorentz.lorentzExp,
    log: lorentz.lorentzLog,
    transport: lorentz.lorentzTransport,
    exp0: lorentz.lorentzExp0,
    log0: lorentz.lorentzLog0,
    project: lorentz.lorentzProject,
  },
  poincare: {
    points: (c: number) => poincarePoints(c, { margin: 0 }),
    distance: poincare.poincareDistance,
    exp: poincare.poincareExp,
    log: poincare.poincareLog,
    transport: poincare.poincareTransport,
    exp0: poincare.poincareExp0,
    log0: poincare.poincareLog0,
    project: poincare.poincareProject,
  },
};

describe.each(Object.entries(models))("%s", (name, model) => {
  describe.each(CURVATURES)("curvature −%d", (c) => {
    const m: Manifold = model.points(c);
    const rng = random(7);
    const points = Array.from({ length: 12 }, () => randomPoint(m, N, rng));
    const [x, y, z] = [points.slice(0, 4), points.slice(4, 8), points.slice(8)];
    const table = (rows: readonly Float64Array[]) => numeric(rows.map((r) => [...r]));
    const v = x.map((p) => randomTangent(m, p, rng));

    it("exp undoes log, and log's length is the distance", () => {
      const out = new Float64Array(x[0].length);
      x.forEach((p, i) => {
        const length = m.log(p, y[i], out);
        expect(m.length(p, out)).toBeCloseTo(length, 12);
        expect(m.distance(p, y[i])).toBeCloseTo(length, 12);
        m.exp(p, out, out);
        expect(worst([[...out]], [[...y[i]]])).toBeLessThan(1e-12);
      });
      const back = inDouble((p, q) => model.exp(p, model.log(p, q, c), c), table(x), table(y));
      expect(worst(back, rowsOf(table(y)))).toBeLessThan(1e-12);
      const origin = inDouble((p) => model.exp0(model.log0(p, c), c), table(x));
      expect(worst(origin, rowsOf(table(x)))).toBeLessThan(1e-12);
    });

    it("the graph and the plain arrays agree", () => {
      const out = new Float64Array(x[0].length);
      const each = (f: (i: number) => void) =>
        x.map((_, i) => {
          f(i);
          return [...out];
        });
      const distances = x.map((p, i) => [m.distance(p, y[i])]);
      expect(
        worst(
          inDouble((p, q) => model.distance(p, q, c), table(x), table(y)),
          distances,
        ),
      ).toBeLessThan(1e-12);
      expect(
        worst(
          inDouble((p, w) => model.exp(p, w, c), table(x), table(v)),
          each((i) => m.exp(x[i], v[i], out)),
        ),
      ).toBeLessThan(1e-12);
      expect(
        worst(
          inDouble((p, q) => model.log(p, q, c), table(x), table(y)),
          each((i) => m.log(x[i], y[i], out)),
        ),
      ).toBeLessThan(1e-12);
      expect(
        worst(
          inDouble((p, q, w) => model.transport(p, q, w, c), table(x), table(y), table(v)),
          each((i) => m.transport(x[i], y[i], v[i], out)),
        ),
      ).toBeLessThan(1e-12);
    });

    it("distance is a metric; a sum that is no geodesic is longer", () => {
      x.forEach((p, i) => {
        const d = m.distance(p, y[i]);
        expect(m.distance(y[i], p)).toBeCloseTo(d, 13);
        expect(m.distance(p, p)).toBe(0);
        const around = m.distance(p, z[i]) + m.distance(z[i], y[i]);
        expect(around).toBeGreaterThan(d + 1e-6);
        const half = new Float64Array(p.length);
        m.log(p, y[i], half);
        m.exp(
          p,
          half.map((a) => a / 2),
          half,
        );
        expect(m.distance(p, half) + m.distance(half, y[i])).toBeCloseTo(d, 12);
      });
    });

    it("transport keeps lengths and angles, undoes itself, and takes the geodesic's direction along", () => {
      const out = x[0].slice();
      x.forEach((p, i) => {
        const direction = p.slice();
        const d = m.log(p, y[i], direction);
        const sum = v[i].map((a, k) => a + direction[k]);
        const lengths = [v[i], direction, sum].map((w) => m.length(p, w));
        const moved = [v[i], direction, sum].map((w) => {
          m.transport(p, y[i], w, out);
          return out.slice();
        });
        expect(worst([moved.map((w) => m.length(y[i], w))], [lengths])).toBeLessThan(1e-12);
        m.transport(y[i], p, moved[0], out);
        expect(worst([[...out]], [[...v[i]]])).toBeLessThan(1e-12);
        // Minus the log of the way back is the direction of arrival.
        m.log(y[i], p, out);
        expect(worst([[...moved[1]]], [[...out].map((a) => -a)])).toBeLessThan(1e-11);
        expect(m.length(y[i], v[i])).not.toBeCloseTo(m.length(p, v[i]), 3); // control: untransported
        expect(d).toBeGreaterThan(0);
      });
    });

    it("the Riemannian gradient is the direction in which finite differences grow", () => {
      const target = z[0];
      const f = (p: Float64Array) => m.distance(p, target) ** 2;
      x.forEach((p, i) => {
        const slope = (at: (h: number) => Float64Array) => (f(at(1e-5)) - f(at(-1e-5))) / 2e-5;
        const g = p.map((_, k) =>
          slope((h) => {
            const moved = p.slice();
            moved[k] += h;
            return moved;
          }),
        );
        if (name === "lorentz") g[0] = 0; // The distance reads the spatial part alone.
        const riemannian = p.slice();
        m.gradient(p, g, riemannian);
        const expected = p.slice();
        m.log(p, target, expected); // grad d² = −2·log
        expect(worst([[...riemannian]], [[...expected].map((a) => -2 * a)])).toBeLessThan(1e-7);
        expect(worst([[...g]], [[...expected].map((a) => -2 * a)])).toBeGreaterThan(1e-3); // control
        expect(m.length(p, v[i])).toBeGreaterThan(0);
      });
    });

    it("gradient rules agree with finite differences", () => {
      const shapes = Array.from({ length: 3 }, () => [2, N]);
      const check = (build: Parameters<typeof gradientError>[0]["build"]) =>
        gradientError({ shapes, build, domain: (t) => 0.5 * t + 0.1, seed: 3 });
      const at = (u: Parameters<typeof model.exp0>[0]) => model.exp0(u, c);
      expect(check(([a, b]) => model.distance(at(a), at(b), c))).toBeLessThan(1e-7);
      expect(check(([a, b]) => model.log(at(a), at(b), c))).toBeLessThan(1e-7);
      expect(check(([a, b]) => model.exp(at(a), model.log(at(a), at(b), c), c))).toBeLessThan(1e-7);
      expect(check(([a, b, w]) => model.transport(at(a), at(b), model.log(at(a), at(w), c), c))).toBeLessThan(
        1e-7,
      );
      expect(check(([a]) => model.log0(model.exp0(a, c), c))).toBeLessThan(1e-7);
    });
  });

  it("gradients with respect to the curvature agree with finite differences", () => {
    const shapes = [[2, N], [2, N], [1]];
    const error = gradientError({
      shapes,
      build: ([a, b, k]) => {
        const c = softplus(k);
        const [x, y] = [model.exp0(a, c), model.exp0(b, c)];
        return model.log0(model.exp(x, model.transport(y, x, model.log(y, x, c), c), c), c);
      },
      domain: (t) => 0.5 * t + 0.1,
    });
    expect(error).toBeLessThan(1e-7);
  });

  it("points scaled by 1/√c with curvature −c are 1/√c as far apart", () => {
    const rng = random(3);
    for (const c of CURVATURES) {
      const [m, unit] = [model.points(c), model.points(1)];
      const [x, y] = [randomPoint(unit, N, rng), randomPoint(unit, N, rng)];
      const scaled = [x, y].map((p) => p.map((a) => a / Math.sqrt(c)));
      expect(m.distance(scaled[0], scaled[1])).toBeCloseTo(unit.distance(x, y) / Math.sqrt(c), 12);
    }
  });
});

it("the two models are isometric, through the graph's maps and through the arrays'", () => {
  const rng = random(5);
  for (const c of CURVATURES) {
    const [l, p] = [lorentzPoints(c), poincarePoints(c)];
    const [x, y] = [randomPoint(l, N, rng), randomPoint(l, N, rng)];
    const ball = inDouble((q) => poincare.lorentzToPoincare(q, c), numeric([[...x], [...y]]));
    expect(p.distance(Float64Array.from(ball[0]), Float64Array.from(ball[1]))).toBeCloseTo(
      l.distance(x, y),
      12,
    );
    const back = inDouble((q) => poincare.poincareToLorentz(q, c), numeric(ball));
    expect(worst(back, [[...x], [...y]])).toBeLessThan(1e-12);
    const disk = new Float64Array(N);
    l.toBall(x, disk);
    expect(worst([[...disk]], [ball[0].map((a) => a * Math.sqrt(c))])).toBeLessThan(1e-13);
    // Control: cutting off the time coordinate is no isometry.
    const flat = [x, y].map((q) => q.slice(1).map((a) => a / 10 / Math.sqrt(c)));
    expect(Math.abs(p.distance(flat[0], flat[1]) - l.distance(x, y))).toBeGreaterThan(1e-2);
  }
});

describe("vectors of the specification", () => {
  it("Lorentz maps", () => {
    const { u, exp0, inner_01, dist_01, sqdist_01, log0 } = vectors.lorentz_maps;
    const points = inDouble((q) => lorentz.lorentzExp0(q), numeric(u));
    expect(worst(points, exp0)).toBeLessThan(1e-11);
    for (const p of points) expect(minkowski(p, p)).toBeCloseTo(-1, 12);
    const [a, b] = exp0.map((p) => numeric([p]));
    expect(inDouble(lorentz.lorentzInner, a, b)[0][0]).toBeCloseTo(inner_01, 10);
    expect(inDouble(lorentz.lorentzDistance, a, b)[0][0]).toBeCloseTo(dist_01, 10);
    expect(inDouble(lorentz.lorentzSquaredDistance, a, b)[0][0]).toBeCloseTo(sqdist_01, 10);
    expect(worst(inDouble(lorentz.lorentzLog0, numeric(exp0)), log0)).toBeLessThan(1e-11);
  });

  it("Poincaré maps", () => {
    const v = vectors.poincare;
    const [p, q] = [numeric([v.p]), numeric([v.q])];
    expect(worst(inDouble(poincare.mobiusAdd, p, q), [v.mobius_add])).toBeLessThan(1e-11);
    expect(inDouble(poincare.poincareDistance, p, q)[0][0] ** 2).toBeCloseTo(v.sqdist, 10);
    expect(worst(inDouble(poincare.mobiusMatvec, numeric(v.M), p), [v.mobius_matvec])).toBeLessThan(1e-11);
    // The vectors do not state the argument of expmap0; it is (.7, −.4).
    expect(
      worst(
        inDouble((u) => poincare.poincareExp0(u), numeric([[0.7, -0.4]])),
        [v.expmap0],
      ),
    ).toBeLessThan(1e-11);
    expect(
      worst(
        inDouble((u) => poincare.poincareLog0(u), p),
        [v.logmap0],
      ),
    ).toBeLessThan(1e-11);
  });
});
