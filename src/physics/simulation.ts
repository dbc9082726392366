import { Problem } from "../problem.ts";
import type { Constitution } from "./constitution.ts";
import { constitutionOf } from "./constitution.ts";
import type { Grid, Walls } from "./grid.ts";
import { createGrid, updateGrid } from "./grid.ts";
import type { Material } from "./materials.ts";
import { soundSpeed } from "./materials.ts";
import type { Body, Dim, Particles } from "./particles.ts";
import { createParticles } from "./particles.ts";
import { carryTracers } from "./tracers.ts";
import { gather2, scatter2 } from "./transfer2.ts";
import { gather3, scatter3 } from "./transfer3.ts";

/** The largest time step that is accepted, as a share of the time a pressure wave needs for one cell. */
export const COURANT = 0.6;

export interface BodyState {
  material: Material;
  /** [count, dim], in the unit box. */
  positions: ArrayLike<number>;
  /** [count, dim], m/s. Default at rest. */
  velocities?: ArrayLike<number>;
  /** APIC's C, [count, dim, dim], 1/s. Default 0. */
  affine?: ArrayLike<number>;
  /** F, [count, dim, dim]. Default no deformation. */
  deformation?: ArrayLike<number>;
  /** Of one particle; default that of 2^dim particles a cell. */
  volume?: number;
}

export interface SimulationOptions {
  dim: Dim;
  /** Cells of the background grid along one side of the unit box. */
  cells: number;
  /** Time step in s. */
  dt: number;
  bodies: readonly BodyState[];
  /** m/s². Default 9.8 down the second axis. */
  gravity?: readonly number[];
  /** Default free-slip. */
  walls?: Walls;
  /** Thickness of the walls in nodes; particles stop about (bound − 1) cells from the border. Default 3; 0 is no wall. */
  bound?: number;
  /** Massless points that are carried along, [count, dim]. */
  tracers?: ArrayLike<number>;
}

export interface Simulation {
  readonly particles: Particles;
  readonly bodies: readonly Body[];
  readonly tracers: Float64Array;
  /** Where particles come to rest, on every axis: [low, high]. */
  readonly bounds: readonly [number, number];
  /** Goes on by `steps` time steps. */
  step(steps?: number): void;
}

/** The largest time step in s that a simulation of these materials accepts. */
export function largestTimeStep(materials: readonly Material[], cells: number): number {
  return COURANT / (cells * Math.max(...materials.map(soundSpeed)));
}

/**
 * A simulation by the moving-least-squares material point method with affine particle-in-cell transfers, in double
 * precision (GIOROM spec 3.1, after NCLaw). Everything is computed in one order: the same input gives the same bits.
 *
 * Throws a `Problem` for particles outside the box or not finite and for a time step that is too long.
 */
export function createSimulation(options: SimulationOptions): Simulation {
  const { dim, cells, dt, gravity = [0, -9.8, 0], walls = "free-slip", bound = 3 } = options;
  requireStableStep(options);
  const grid = createGrid(dim, cells);
  const { particles, bodies } = assemble(options, grid);
  const tracers = Float64Array.from(options.tracers ?? []);
  requireInside(tracers, grid, "tracer");
  const update = bodies.map(({ material }): Constitution => constitutionOf(material, dim, dt));
  for (const { material, start, end } of bodies)
    constitutionOf(material, dim, dt, { flow: false })(particles, start, end);
  const scatter = dim === 2 ? scatter2 : scatter3;
  const gather = dim === 2 ? gather2 : gather3;
  const forces = { dt, gravity, walls, bound };

  const step = () => {
    grid.nodes.fill(0);
    for (const { material, start, end, volume } of bodies)
      scatter(grid, particles, start, end, material.density * volume, volume, dt);
    updateGrid(grid, forces);
    gather(grid, particles, 0, particles.count, dt);
    carryTracers(grid, tracers, dt);
    bodies.forEach(({ start, end }, b) => {
      update[b](particles, start, end);
    });
  };
  const inset = Math.max(0.5, bound - 1) * grid.dx;
  return {
    particles,
    bodies,
    tracers,
    bounds: [inset, 1 - inset],
    step: (steps = 1) => {
      for (let s = 0; s < steps; s++) step();
    },
  };
}

function requireStableStep({ dt, cells, bodies }: SimulationOptions): void {
  const limit = largestTimeStep(
    bodies.map(({ material }) => material),
    cells,
  );
  if (!(dt > 0) || dt > limit)
    throw new Problem(
      `a time step of ${dt} s is not stable here: sound must not cross ${COURANT} of a cell in it; use at most ${limit.toPrecision(3)} s`,
    );
}

function assemble({ dim, bodies: states }: SimulationOptions, grid: Grid) {
  let count = 0;
  const bodies = states.map(
    ({ material, positions, volume = (grid.dx / 2) ** dim }): Body => ({
      material,
      start: count,
      end: (count += positions.length / dim),
      volume,
    }),
  );
  if (count === 0) throw new Problem("a simulation needs at least one particle");
  const particles = createParticles(dim, count);
  for (const [b, { positions, velocities, affine, deformation }] of states.entries()) {
    const { start } = bodies[b];
    particles.x.set(positions, start * dim);
    if (velocities) particles.v.set(velocities, start * dim);
    if (affine) particles.c.set(affine, start * dim * dim);
    if (deformation) particles.f.set(deformation, start * dim * dim);
  }
  requireInside(particles.x, grid, "particle");
  return { particles, bodies };
}

function requireInside(x: Float64Array, { dim, dx }: Grid, what: string): void {
  // Written so that NaN is caught too.
  const bad = x.findIndex((value) => !(value >= dx / 2 && value <= 1 - dx / 2));
  if (bad >= 0)
    throw new Problem(
      `${what} ${Math.floor(bad / dim)} is at ${x[bad]} on axis ${"xyz"[bad % dim]}; expected ${dx / 2} to ${1 - dx / 2}, half a cell inside the unit box`,
    );
}
