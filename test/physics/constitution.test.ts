import { describe, expect, test } from "vitest";
import { lame, MATERIAL_NAMES, MATERIALS, type Material } from "../../src/physics/materials.ts";
import { random } from "../../src/random.ts";
import { decompose, decomposePair, largestDifference, respond, yieldStrains } from "./support.ts";

type Matrix = Float64Array;

function product(a: Matrix, b: Matrix): Matrix {
  const d = Math.sqrt(a.length);
  return Float64Array.from({ length: d * d }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < d; k++) sum += a[Math.floor(i / d) * d + k] * b[k * d + (i % d)];
    return sum;
  });
}

const transpose = (a: Matrix): Matrix => {
  const d = Math.sqrt(a.length);
  return a.map((_, i) => a[(i % d) * d + Math.floor(i / d)]);
};

const determinant = (a: Matrix): number =>
  a.length === 4
    ? a[0] * a[3] - a[1] * a[2]
    : a[0] * (a[4] * a[8] - a[5] * a[7]) -
      a[1] * (a[3] * a[8] - a[5] * a[6]) +
      a[2] * (a[3] * a[7] - a[4] * a[6]);

const identity = (d: number): Matrix =>
  Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0));

const diagonal = (s: Matrix): Matrix => {
  const d = s.length;
  return Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? s[i % d] : 0));
};

describe.each([2, 3])("singular values in %iD", (d) => {
  const { normal } = random(3);
  const any = () => Float64Array.from({ length: d * d }, normal);
  const cases: [string, () => Matrix][] = [
    ["random", any],
    ["nearly a rotation", () => decompose(any()).u.map((x) => x + 1e-9 * normal())],
    ["exactly a rotation", () => decompose(any()).u],
    ["rank one", () => product(any(), diagonal(Float64Array.from({ length: d }, (_, i) => (i ? 0 : 1))))],
    ["very flat", () => product(any(), diagonal(Float64Array.from({ length: d }, (_, i) => 10 ** (-6 * i))))],
    ["zero", () => new Float64Array(d * d)],
    ["a reflection", () => diagonal(Float64Array.from({ length: d }, (_, i) => (i ? 1 : -2)))],
    ["tiny", () => any().map((x) => 1e-60 * x)],
  ];
  test.each(cases)("%s", (_, make) => {
    for (let n = 0; n < 200; n++) {
      const f = make();
      const { u, s, vt } = decompose(f);
      const size = Math.max(...f.map(Math.abs), Number.MIN_VALUE);
      expect(largestDifference(product(product(u, diagonal(s)), vt), f) / size).toBeLessThan(1e-14);
      for (const rotation of [u, vt]) {
        expect(largestDifference(product(rotation, transpose(rotation)), identity(d))).toBeLessThan(1e-14);
        expect(determinant(rotation)).toBeCloseTo(1, 12);
      }
      for (let k = 1; k < d; k++) expect(s[k - 1] * (1 + 1e-15)).toBeGreaterThanOrEqual(Math.abs(s[k]));
      expect(s[d - 2]).toBeGreaterThanOrEqual(0);
    }
  });

  if (d === 3)
    test("two matrices at a time: neither changes the other's bits", () => {
      for (const [, one] of cases)
        for (const [, other] of cases) {
          const [f, g] = [one(), other()];
          expect(decomposePair(f, g)).toEqual([decompose(f), decompose(g)]);
        }
    });
});

const stressOf = (material: Material, f: Matrix): Matrix =>
  respond(material, f, { dt: 0, flow: false }).stress;

/** The energy that the stress should come from. */
function energyOf(material: Material, f: Matrix): number {
  const { mu, lambda } = lame(material);
  const { s } = decompose(f);
  const j = s.reduce((a, b) => a * b, 1);
  const volume = (lambda / 2) * (j - 1) ** 2;
  if (material.family === "newtonian") return volume;
  if (material.family === "elastic") return mu * s.reduce((sum, x) => sum + (x - 1) ** 2, 0) + volume;
  const trace = Math.log(j);
  return mu * s.reduce((sum, x) => sum + Math.log(x) ** 2, 0) + (lambda / 2) * trace ** 2;
}

describe.each([2, 3])("stress in %iD", (d) => {
  const { normal } = random(11);
  const strained = () => identity(d).map((x) => x + 0.1 * normal());
  const rotation = () => decompose(Float64Array.from({ length: d * d }, normal)).u;

  test.each(MATERIAL_NAMES)(
    "%s: derived from its energy, objective, symmetric, none in a rotation",
    (name) => {
      const material = MATERIALS[name];
      const { mu } = lame(material);
      for (let n = 0; n < 20; n++) {
        const f = strained();
        const tau = stressOf(material, f);
        const h = 1e-6;
        const gradient = f.map((_, k) => {
          const [up, down] = [f.slice(), f.slice()];
          up[k] += h;
          down[k] -= h;
          return (energyOf(material, up) - energyOf(material, down)) / (2 * h);
        });
        // Central differences: h² and rounding 1e-16 · Ψ / h.
        expect(largestDifference(product(gradient, transpose(f)), tau) / mu).toBeLessThan(1e-8);
        expect(largestDifference(tau, transpose(tau))).toBe(0);
        const q = rotation();
        const turned = product(product(q, tau), transpose(q));
        expect(largestDifference(stressOf(material, product(q, f)), turned) / mu).toBeLessThan(1e-13);
        expect(largestDifference(stressOf(material, q), new Float64Array(d * d)) / mu).toBeLessThan(1e-14);
      }
    },
  );

  test("control: the stress without its factor Fᵀ fails", () => {
    const f = strained();
    const tau = stressOf(MATERIALS.jelly, f);
    const { u, s, vt } = decompose(f);
    const inverse = product(product(transpose(vt), diagonal(s.map((x) => 1 / x))), transpose(u));
    expect(largestDifference(product(tau, transpose(inverse)), tau) / 1e5).toBeGreaterThan(1e-3);
  });
});

describe.each([2, 3])("return maps in %iD", (d) => {
  const { normal } = random(5);
  const strain = () => Float64Array.from({ length: d }, () => 0.1 * normal());
  const split = (e: Float64Array) => {
    const mean = e.reduce((a, b) => a + b) / d;
    return { trace: mean * d, length: Math.hypot(...e.map((x) => x - mean)) };
  };

  test("nothing is left outside the yield surface, and a second time changes nothing", () => {
    let flowed = 0;
    for (const name of ["sand", "plasticine"] as const) {
      const material = MATERIALS[name];
      const { mu, lambda } = lame(material);
      const alpha = 0.2677650428158532;
      for (let n = 0; n < 300; n++) {
        const e = strain();
        const before = split(e);
        if (yieldStrains(material, e, 5e-4)) flowed++;
        const { trace, length } = split(e);
        const excess =
          material.family === "granular"
            ? length + (alpha * trace * (d * lambda + 2 * mu)) / (2 * mu)
            : length - 5e3 / (2 * mu);
        expect(excess).toBeLessThan(1e-13);
        if (name === "plasticine" || before.trace < 0) expect(trace).toBeCloseTo(before.trace, 12);
        const once = e.slice();
        yieldStrains(material, e, 5e-4);
        expect(largestDifference(e, once)).toBeLessThan(1e-15);
      }
    }
    // Control: the strains do leave the surface.
    expect(flowed).toBeGreaterThan(300);
  });

  test("the flow of goop lies between von Mises and elasticity, and its general form at 1 is Bingham's", () => {
    const goop = MATERIALS.goop;
    const mapped = (changes: object) => {
      const e = Float64Array.from({ length: d }, (_, k) => 0.1 * (k - 0.4));
      yieldStrains({ ...goop, ...changes }, e, 5e-4);
      return e;
    };
    const yielded = mapped({ viscosity: 1e-12 });
    expect(2 * lame(goop).mu * split(yielded).length).toBeCloseTo(goop.yieldStress, 6);
    const stiff = mapped({ viscosity: 1e15 });
    expect(largestDifference(stiff, mapped({ yieldStress: 1e9 }))).toBeLessThan(1e-12);
    const bingham = mapped({});
    expect(split(bingham).length).toBeGreaterThan(split(yielded).length);
    expect(split(bingham).length).toBeLessThan(split(stiff).length);
    // The bisection's branch is taken for every exponent but 1 itself.
    expect(largestDifference(mapped({ exponent: 1 + 1e-14 }), bingham)).toBeLessThan(1e-12);
    expect(largestDifference(mapped({ exponent: 0.5 }), bingham)).toBeGreaterThan(1e-3);
  });
});
