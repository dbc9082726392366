import { describe, expect, test } from "vitest";
import { MATERIAL_NAMES, MATERIALS, type Material } from "../../src/physics/materials.ts";
import type { Dim } from "../../src/physics/particles.ts";
import { createSimulation } from "../../src/physics/simulation.ts";
import {
  block,
  decompose,
  flat,
  largestDifference,
  respond,
  scatterOnly,
  uniform,
  vectors,
} from "./support.ts";

const DT = 5e-4;
const STILL = { dt: DT, flow: false };

const withModuli = (material: Material): Material => ({ ...material, young: 1e5, poisson: 0.2 });

test.each([
  ["corotated", "jelly"],
  ["hencky", "sand"],
  ["volume", "water"],
] as const)("stress: %s", (name, material) => {
  for (const dim of [2, 3]) {
    const f = flat(vectors.stress[`F${dim}`]);
    const expected = flat(vectors.stress[`${name}${dim}_E1e5_nu0.2`]);
    // Eight decimals of numbers around 1e4.
    expect(
      largestDifference(respond(withModuli(MATERIALS[material]), f, STILL).stress, expected),
    ).toBeLessThan(1e-7);
  }
});

const MAPPED: Record<string, Material> = {
  vonmises: MATERIALS.plasticine,
  druckerprager: MATERIALS.sand,
  bingham: MATERIALS.goop,
  herschel: { ...MATERIALS.goop, exponent: 0.5 },
  volume: MATERIALS.water,
};
const mapped = Object.entries(vectors.return_map).filter(([name]) => MAPPED[name.split("_")[0]]);

test("every return map of the vectors has a material here", () => {
  const constants = ["alpha_phi25", "yield_eps_plasticine"];
  expect(mapped.length).toBe(Object.keys(vectors.return_map).length - constants.length);
});

test.each(mapped)("return map: %s", (name, { F, F_new, detF_new }) => {
  const { f } = respond(MAPPED[name.split("_")[0]], flat(F), { dt: DT, flow: true });
  // The vectors have twelve decimals, in F and in what comes out.
  expect(largestDifference(f, flat(F_new))).toBeLessThan(3e-12);
  const det =
    f.length === 4
      ? f[0] * f[3] - f[1] * f[2]
      : f[0] * (f[4] * f[8] - f[5] * f[7]) -
        f[1] * (f[3] * f[8] - f[5] * f[6]) +
        f[2] * (f[3] * f[7] - f[4] * f[6]);
  expect(Math.abs(det - detF_new)).toBeLessThan(5e-12);
});

test("weights of the quadratic B-spline", () => {
  const { x_over_dx, base_w0_w1_w2 } = vectors.bspline;
  for (const [i, [base, ...weights]] of base_w0_w1_w2.entries()) {
    // At a node in the other axis: its weights are 1/8, 3/4, 1/8.
    const nodes = scatterOnly(2, 10, [x_over_dx[i] / 10, 0.5], { mass: 1 });
    const masses = [0, 1, 2].map((o) => nodes[((base + o) * 12 + 5) * 3 + 2] / 0.75);
    // 5.49 / 10 · 10 is not 5.49 to the last bit.
    expect(largestDifference(masses, weights)).toBeLessThan(1e-14);
  }
});

test("singular values", () => {
  const { F2, F3, refl2 } = vectors.svd;
  for (const [f, { s: expected, R }] of [
    [vectors.stress.F2, F2],
    [vectors.stress.F3, F3],
  ] as const) {
    const { u, s, vt } = decompose(flat(f));
    expect(largestDifference(s, flat(expected))).toBeLessThan(1e-12);
    // R = U Vᵀ does not depend on the signs that U and V leave open.
    const d = s.length;
    const rotation = Array.from({ length: d * d }, (_, i) =>
      Array.from(s.keys()).reduce((sum, k) => sum + u[d * Math.floor(i / d) + k] * vt[d * k + (i % d)], 0),
    );
    expect(largestDifference(rotation, flat(R))).toBeLessThan(1e-12);
  }
  expect(largestDifference(decompose(flat(refl2.F)).s, refl2.s)).toBeLessThan(1e-12);
});

describe.each(MATERIAL_NAMES)("%s", (name) => {
  test.each([
    [2, "mpm2d_small"],
    [3, "mpm3d_small"],
  ] as const)("whole states in %iD", (dim, key) => {
    const { n_grid: cells, dt, gravity, bound, vol_each: volume, x0, v0, C0, F0, after } = vectors[key];
    const simulation = createSimulation({
      dim: dim as Dim,
      cells,
      dt,
      gravity,
      bound,
      bodies: [
        {
          material: MATERIALS[name],
          volume,
          positions: flat(x0),
          velocities: flat(v0),
          affine: flat(C0),
          deformation: flat(F0),
        },
      ],
    });
    const { x, v, c, f } = simulation.particles;
    const { x: x1, v: v1, C, F, x20, v20, F20 } = after[name];
    simulation.step();
    expect(largestDifference(x, flat(x1))).toBeLessThan(1e-11);
    expect(largestDifference(v, flat(v1))).toBeLessThan(1e-9);
    expect(largestDifference(f, flat(F))).toBeLessThan(1e-9);
    // Nine decimals in the vectors.
    if (C) expect(largestDifference(c, flat(C))).toBeLessThan(2e-9);
    if (!x20) return;
    simulation.step(19);
    expect(largestDifference(x, flat(x20))).toBeLessThan(1e-9);
    expect(largestDifference(v, flat(v20))).toBeLessThan(1e-8);
    expect(largestDifference(f, flat(F20))).toBeLessThan(1e-8);
  });

  test("a block after 400 steps", () => {
    const positions = block(2, [0.5, 0.45], [0.4, 0.4], 1 / 64);
    expect(positions.length).toBe(2 * 676);
    const simulation = createSimulation({
      dim: 2,
      cells: 32,
      dt: DT,
      bodies: [{ material: MATERIALS[name], positions, velocities: uniform(676, [1, -1]), volume: 1 / 4096 }],
    });
    simulation.step(400);
    const { particles, pos } = vectors.mpm2d_block_400;
    for (const [k, i] of particles.entries())
      expect(largestDifference(simulation.particles.x.subarray(2 * i, 2 * i + 2), pos[name][k])).toBeLessThan(
        1e-6,
      );
  });
});
