import { describe, expect, test } from "vitest";
import { MATERIALS, type Material } from "../../src/physics/materials.ts";
import type { Simulation } from "../../src/physics/simulation.ts";
import { createSimulation } from "../../src/physics/simulation.ts";
import { block, decompose, extent, uniform } from "./support.ts";

const DT = 5e-4;

/** The free longitudinal vibration of a bar; without Poisson's effect its period is 2L/√(E/ρ). */
describe.each([
  [2, 64],
  [3, 32],
] as const)("an elastic bar in %iD", (dim, cells) => {
  const material: Material = { ...MATERIALS.jelly, poisson: 0 };
  const length = 0.5;
  const period = (young: number) => (2 * length) / Math.sqrt(young / material.density);

  function bar(): Simulation {
    const size = [length, 0.125, 0.125].slice(0, dim);
    const positions = block(dim, [0.5, 0.5, 0.5], size, 1 / (2 * cells));
    const velocities = positions.map((value, i) =>
      i % dim === 0 ? 0.05 * Math.cos((Math.PI * (value - 0.25)) / length) : 0,
    );
    const bodies = [{ material, positions, velocities }];
    return createSimulation({ dim, cells, dt: DT, gravity: [0, 0, 0], bound: 0, bodies });
  }

  /** Kinetic and elastic energy per unit of a particle's volume; Ψ = μ Σ(σ−1)² + λ/2 (J−1)² with λ = 0. */
  function energies({ particles: { v, f, count } }: Simulation) {
    let kinetic = 0;
    let elastic = 0;
    for (const component of v) kinetic += (material.density / 2) * component ** 2;
    for (let i = 0; i < count; i++) {
      for (const stretch of decompose(f.subarray(i * dim * dim, (i + 1) * dim * dim)).s)
        elastic += (material.young / 2) * (stretch - 1) ** 2;
    }
    return { kinetic, elastic };
  }

  test("swings with the period of a spring, between motion and tension", () => {
    const simulation = bar();
    const rest = simulation.particles.x.slice();
    const amplitude = () => {
      let sum = 0;
      for (let i = 0; i < rest.length; i += dim)
        sum += simulation.particles.v[i] * Math.cos((Math.PI * (rest[i] - 0.25)) / length);
      return sum;
    };
    const total = energies(simulation).kinetic;
    const crossings: number[] = [];
    let mostElastic = 0;
    for (let step = 1, before = amplitude(); crossings.length < 3; step++) {
      simulation.step();
      const now = amplitude();
      if (now * before < 0) crossings.push((step - now / (now - before)) * DT);
      before = now;
      const { kinetic, elastic } = energies(simulation);
      mostElastic = Math.max(mostElastic, elastic);
      // Velocities are half a step older than deformations, which shows as ωΔt/2 = 1.6 %.
      expect(kinetic + elastic).toBeLessThan(1.016 * total);
      if (step > 1000) throw new Error("does not swing");
    }
    const measured = crossings[2] - crossings[0];
    expect(Math.abs(measured / period(material.young) - 1)).toBeLessThan(0.01);
    // Control: a bar of half the stiffness.
    expect(Math.abs(measured / period(material.young / 2) - 1)).toBeGreaterThan(0.2);
    expect(mostElastic / total).toBeGreaterThan(0.95);
    expect(mostElastic / total).toBeLessThan(1);
  });
});

test("water at rest presses with its weight", () => {
  const cells = 16;
  const thick: Material = { ...MATERIALS.water, viscosity: 20 };
  const positions = block(2, [0.5, 0.125 + 0.15], [0.75, 0.3], 1 / 32);
  const simulation = createSimulation({
    dim: 2,
    cells,
    dt: DT,
    bodies: [{ material: thick, positions }],
  });
  simulation.step(1500);
  const { x, f, count } = simulation.particles;
  // Means over a few swings; pressure −λ(J−1) against height, by least squares.
  const height = new Float64Array(count);
  const pressure = new Float64Array(count);
  const frames = 60;
  const lambda = (1e5 * 0.3) / (1.3 * 0.4);
  for (let frame = 0; frame < frames; frame++) {
    simulation.step(10);
    for (let i = 0; i < count; i++) {
      height[i] += x[2 * i + 1] / frames;
      pressure[i] -= (lambda * (f[4 * i] ** 2 - 1)) / frames;
    }
  }
  // The cells at the floor and at the surface see wall and air.
  const inside = Array.from(height.keys()).filter(
    (i) => height[i] > 0.125 + 1 / cells && height[i] < 0.425 - 2 / cells,
  );
  const mean = (values: Float64Array) => inside.reduce((sum, i) => sum + values[i], 0) / inside.length;
  const [h, p] = [mean(height), mean(pressure)];
  let covariance = 0;
  let variance = 0;
  for (const i of inside) {
    covariance += (height[i] - h) * (pressure[i] - p);
    variance += (height[i] - h) ** 2;
  }
  const weight = -covariance / variance;
  expect(Math.abs(weight / (1000 * 9.8) - 1)).toBeLessThan(0.03);
  // Control: the weight that half the gravity would have.
  expect(Math.abs(weight / (1000 * 4.9) - 1)).toBeGreaterThan(0.5);
});

/** Width of a block of 0.25 × 0.25 that has fallen on the floor, after 1500 steps. */
function widthAfterDrop(material: Material): number {
  const positions = block(2, [0.5, 0.35], [0.25, 0.25], 1 / 64);
  const velocities = uniform(positions.length / 2, [0, -2]);
  const simulation = createSimulation({
    dim: 2,
    cells: 32,
    dt: DT,
    bodies: [{ material, positions, velocities }],
  });
  simulation.step(1500);
  const { low, high } = extent(simulation.particles, 0);
  return high - low;
}

describe("after a fall", () => {
  const rest = 0.25 - 1 / 64;

  test("jelly has its shape back, within 5 %", () => {
    expect(Math.abs(widthAfterDrop(MATERIALS.jelly) / rest - 1)).toBeLessThan(0.05);
  });

  test("plasticine has not", () => {
    // The reference implementation's block was 0.555 wide.
    expect(widthAfterDrop(MATERIALS.plasticine)).toBeCloseTo(0.555, 2);
  });

  test("goop and water have run to the walls", () => {
    expect(widthAfterDrop(MATERIALS.goop)).toBeCloseTo(0.844, 2);
    expect(widthAfterDrop(MATERIALS.water)).toBeCloseTo(0.873, 2);
  });
});

/** A column of sand, 0.2 × 0.3, on a rough floor: where its heap ends after 1.5 s. */
function heap(frictionAngle: number): { top: number; spread: number } {
  const positions = block(2, [0.5, 0.245], [0.2, 0.3], 1 / 64);
  const simulation = createSimulation({
    dim: 2,
    cells: 32,
    dt: DT,
    walls: "no-slip",
    bodies: [{ material: { ...MATERIALS.sand, frictionAngle }, positions }],
  });
  simulation.step(3000);
  const across = extent(simulation.particles, 0);
  return { top: extent(simulation.particles, 1).high, spread: across.high - across.low };
}

test("the rougher the sand, the steeper its heap", () => {
  const [rough, usual, smooth] = [45, 25, 10].map(heap);
  expect(rough.spread).toBeLessThan(0.7);
  expect(rough.spread).toBeLessThan(usual.spread);
  expect(usual.spread).toBeLessThan(smooth.spread);
  expect(rough.top).toBeGreaterThan(usual.top);
  // Control: smooth sand is no steep heap.
  expect(smooth.spread).toBeGreaterThan(0.7);
});

test("the more viscous the goop, the slower it spreads", () => {
  const width = (viscosity: number) => {
    const simulation = createSimulation({
      dim: 2,
      cells: 32,
      dt: DT,
      bodies: [
        {
          material: { ...MATERIALS.goop, viscosity },
          positions: block(2, [0.5, 0.191], [0.25, 0.25], 1 / 64),
        },
      ],
    });
    simulation.step(400);
    const { low, high } = extent(simulation.particles, 0);
    return high - low;
  };
  const widths = [1, 20, 200, 2000].map(width);
  for (let i = 1; i < widths.length; i++) expect(widths[i]).toBeLessThan(0.95 * widths[i - 1]);
});
