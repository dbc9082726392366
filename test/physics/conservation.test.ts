import { describe, expect, test } from "vitest";
import { MATERIAL_NAMES, MATERIALS } from "../../src/physics/materials.ts";
import type { Dim } from "../../src/physics/particles.ts";
import type { Simulation } from "../../src/physics/simulation.ts";
import { createSimulation } from "../../src/physics/simulation.ts";
import { random } from "../../src/random.ts";
import { block, scatterOnly, uniform } from "./support.ts";

const DT = 5e-4;
const CELLS = 16;

/** A block in free space, every particle with a velocity and a spin of its own. */
function freeBlock(dim: Dim, material: (typeof MATERIAL_NAMES)[number]): Simulation {
  const { normal } = random(7);
  const positions = block(dim, [0.5, 0.5, 0.5], dim === 2 ? [0.25, 0.2] : [0.2, 0.15, 0.15], 1 / 32);
  const velocities = positions.map((_, i) => 1 + 0.3 * (i % dim) + normal());
  const affine = Float64Array.from({ length: positions.length * dim }, () => 3 * normal());
  const bodies = [{ material: MATERIALS[material], positions, velocities, affine }];
  return createSimulation({ dim, cells: CELLS, dt: DT, bound: 0, gravity: [0, 0, 0], bodies });
}

const AXES = [
  [1, 2],
  [2, 0],
  [0, 1],
] as const;

/** Σ m v; Σ m x×v without and with what APIC's C adds, (dx²/4) m axial(C). Mass 1 each. */
function momenta({ particles: { dim, count, x, v, c } }: Simulation) {
  const linear = [0, 0, 0];
  const orbital = [0, 0, 0];
  const angular = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < dim; k++) linear[k] += v[dim * i + k];
    for (const [axis, [a, b]] of AXES.entries()) {
      if (dim === 2 && axis < 2) continue;
      const turn = x[dim * i + a] * v[dim * i + b] - x[dim * i + b] * v[dim * i + a];
      const spin = c[dim * dim * i + b * dim + a] - c[dim * dim * i + a * dim + b];
      orbital[axis] += turn;
      angular[axis] += turn + spin / (4 * CELLS * CELLS);
    }
  }
  return { linear, orbital, angular };
}

const drift = (before: readonly number[], after: readonly number[]) =>
  Math.max(...before.map((b, k) => Math.abs(after[k] - b))) / Math.max(...before.map(Math.abs));

// Sums of a few hundred terms, each rounded at 2⁻⁵³, over 50 steps.
const ROUNDING = 1e-13;

describe.each([2, 3] as const)("%iD in free space", (dim) => {
  test.each(MATERIAL_NAMES)("%s keeps momentum and angular momentum", (name) => {
    const simulation = freeBlock(dim, name);
    const before = momenta(simulation);
    simulation.step(50);
    const after = momenta(simulation);
    expect(drift(before.linear, after.linear)).toBeLessThan(ROUNDING);
    expect(drift(before.angular, after.angular)).toBeLessThan(ROUNDING);
    // Control: without the affine part the sum is not conserved.
    expect(drift(before.orbital, after.orbital)).toBeGreaterThan(1e-4);
  });

  test("control: transfers without the affine part lose angular momentum", () => {
    const simulation = freeBlock(dim, "jelly");
    simulation.particles.c.fill(0);
    const before = momenta(simulation);
    for (let s = 0; s < 50; s++) {
      simulation.step();
      simulation.particles.c.fill(0);
    }
    const after = momenta(simulation);
    expect(drift(before.linear, after.linear)).toBeLessThan(ROUNDING);
    expect(drift(before.angular, after.angular)).toBeGreaterThan(1e-4);
  });

  test("the grid holds the particles' mass and momentum", () => {
    const { particles } = freeBlock(dim, "sand");
    const nodes = scatterOnly(dim, CELLS, particles.x, { mass: 2.5, velocities: particles.v });
    const sums = new Float64Array(dim + 1);
    for (let i = 0; i < nodes.length; i++) sums[i % (dim + 1)] += nodes[i];
    expect(sums[dim]).toBeCloseTo(2.5 * particles.count, 9);
    const { linear } = momenta({ particles } as Simulation);
    for (let k = 0; k < dim; k++) expect(sums[k]).toBeCloseTo(2.5 * linear[k], 9);
  });

  test("the centre of mass falls as Galileo says", () => {
    const positions = block(dim, [0.5, 0.6, 0.5], [0.1, 0.1, 0.1].slice(0, dim), 1 / 32);
    const count = positions.length / dim;
    const simulation = createSimulation({
      dim,
      cells: CELLS,
      dt: DT,
      bodies: [{ material: MATERIALS.jelly, positions, velocities: uniform(count, [0, 1, 0].slice(0, dim)) }],
    });
    const height = () =>
      simulation.particles.x.reduce((sum, value, i) => (i % dim === 1 ? sum + value : sum), 0) / count;
    const start = height();
    const steps = 150;
    simulation.step(steps);
    // Velocity first, then position: the sum of 1 … n, not the integral.
    const expected = start + steps * DT - 9.8 * DT * DT * ((steps * (steps + 1)) / 2);
    expect(Math.abs(height() - expected)).toBeLessThan(1e-13);
    // Control: position first.
    const other = start + steps * DT - 9.8 * DT * DT * ((steps * (steps - 1)) / 2);
    expect(Math.abs(height() - other)).toBeGreaterThan(1e-4);
  });
});

test("the same input gives the same bits", () => {
  const [first, second] = [freeBlock(3, "sand"), freeBlock(3, "sand")];
  first.step(40);
  second.step(20);
  second.step(20);
  expect(second.particles.x).toEqual(first.particles.x);
  expect(second.particles.f).toEqual(first.particles.f);
  // Control: a difference in the last bit of one number shows.
  const third = freeBlock(3, "sand");
  third.particles.v[0] += 2 ** -52 * 4;
  third.step(40);
  expect(third.particles.x).not.toEqual(first.particles.x);
});
