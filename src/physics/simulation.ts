import type { Call, Team } from "../kernels/team.ts";
import { canShareMemory, createTeam } from "../kernels/team.ts";
import { Problem } from "../problem.ts";
import { checkSimulation } from "./check-simulation.ts";
import { constitutionCall } from "./constitution.ts";
import type { Material } from "./materials.ts";
import { soundSpeed } from "./materials.ts";
import type { Body, Dim, Particles } from "./particles.ts";
import type { StepOptions, Walls } from "./step.ts";
import { stepCalls } from "./step.ts";
import { MOST_THREADS } from "./threads.ts";
import type { Workspace } from "./workspace.ts";
import { createWorkspace, physicsModules } from "./workspace.ts";

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
  /** m/s², of every axis; a third entry does not matter in 2D. Default 9.8 down the second axis. */
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
  /**
   * From now on so many threads, this one included, share the work; 1 to begin with. The bits stay the same. Other
   * threads end with the process, in browsers with `useThreads(1)`.
   *
   * Throws a `Problem` where memory cannot be shared or no thread can be started.
   */
  useThreads(threads: number): Promise<void>;
}

/** The largest time step in s that a simulation of these materials accepts. */
export function largestTimeStep(materials: readonly Material[], cells: number): number {
  return COURANT / (cells * Math.max(...materials.map(soundSpeed)));
}

/**
 * A simulation by the moving-least-squares material point method with affine particle-in-cell transfers, in double
 * precision (GIOROM spec 3.1, after NCLaw). Everything is computed in one order: the same input gives the same bits.
 *
 * Throws a `Problem` for particles outside the box or not finite, for a time step that is too long, and for parts that do not
 * fit together.
 */
export function createSimulation(options: SimulationOptions): Simulation {
  const { cells, dt, gravity = [0, -9.8, 0], walls = "free-slip", bound = 3 } = options;
  checkSimulation(options);
  requireStableStep(options);
  const { workspace, bodies } = assemble(options);
  const { particles, tracers, memory, perform } = workspace;
  for (const body of bodies) perform(constitutionCall(body.material, particles, body, { dt, flow: false }));
  const task: StepOptions = { bodies, dt, gravity, walls, bound };
  let calls: readonly Call[] = stepCalls(workspace, task, 0, 1);
  let team: Team | undefined;

  const step = () => {
    team?.start(0);
    for (const call of calls)
      if (call) perform(call);
      else team?.meet();
  };
  const inset = Math.max(0.5, bound - 1) / cells;
  return {
    particles,
    bodies,
    tracers,
    bounds: [inset, 1 - inset],
    step: (steps = 1) => {
      for (let s = 0; s < steps; s++) step();
    },
    useThreads: async (threads) => {
      requireThreads(threads);
      await team?.end();
      team = undefined;
      calls = stepCalls(workspace, task, 0, 1);
      if (threads === 1) return;
      const others = Array.from({ length: threads - 1 }, (_, i) => [
        stepCalls(workspace, task, i + 1, threads),
      ]);
      team = await createTeam({ memory, wasm: physicsModules, jobs: others });
      calls = stepCalls(workspace, task, 0, threads);
    },
  };
}

function requireThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS)
    throw new Problem(`${threads} threads are asked for; choose 1 to ${MOST_THREADS}`);
  if (threads > 1 && !canShareMemory())
    throw new Problem(
      "threads cannot share memory here: the page has to be cross-origin isolated; use one thread",
    );
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

function assemble({ dim, cells, bodies: states, tracers = [] }: SimulationOptions) {
  let count = 0;
  const bodies = states.map(
    ({ material, positions, volume = (0.5 / cells) ** dim }): Body => ({
      material,
      start: count,
      end: (count += positions.length / dim),
      volume,
    }),
  );
  const workspace = createWorkspace(dim, cells, count, tracers.length / dim);
  const { particles } = workspace;
  for (const [b, { positions, velocities, affine, deformation }] of states.entries()) {
    const { start } = bodies[b];
    particles.x.set(positions, start * dim);
    if (velocities) particles.v.set(velocities, start * dim);
    if (affine) particles.c.set(affine, start * dim * dim);
    if (deformation) particles.f.set(deformation, start * dim * dim);
  }
  workspace.tracers.set(tracers);
  requireInside(particles.x, workspace, "particle");
  requireInside(workspace.tracers, workspace, "tracer");
  return { workspace, bodies };
}

function requireInside(x: Float64Array, { dim, cells }: Workspace, what: string): void {
  const margin = 0.5 / cells;
  // Written so that NaN is caught too.
  const bad = x.findIndex((value) => !(value >= margin && value <= 1 - margin));
  if (bad >= 0)
    throw new Problem(
      `${what} ${Math.floor(bad / dim)} is at ${x[bad]} on axis ${"xyz"[bad % dim]}; expected ${margin} to ${1 - margin}, half a cell inside the unit box`,
    );
}
