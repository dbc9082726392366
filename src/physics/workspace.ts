import { createArena } from "../kernels/arena.ts";
import { constitutionWasm } from "../kernels/constitution.wasm.ts";
import { gatherWasm } from "../kernels/gather.wasm.ts";
import { instantiate } from "../kernels/instantiate.ts";
import { scatterWasm } from "../kernels/scatter.wasm.ts";
import type { Call } from "../kernels/team.ts";
import { canShareMemory } from "../kernels/team.ts";
import type { Dim, Particles } from "./particles.ts";
import { MOST_THREADS } from "./threads.ts";

/** What the kernels of a simulation work on: everything lies in one memory, shared between threads where that is possible. */
export interface Workspace {
  readonly memory: WebAssembly.Memory;
  readonly dim: Dim;
  /** Of the background grid, along one side of the unit box. */
  readonly cells: number;
  /**
   * Momentum, later velocity, and mass of the grid's nodes: [side, side(, side), dim + 1] with side = cells + 2. Node i of
   * an axis sits at i/cells; the last one lets the stencil of a particle near the upper end stay inside.
   */
  readonly nodes: Float64Array;
  readonly particles: Particles;
  /** [tracers, dim] */
  readonly tracers: Float64Array;
  /** Where each thread keeps which rows of the grid are its own. */
  readonly rows: readonly Int32Array[];
  /** Calls a kernel. */
  perform(call: NonNullable<Call>): void;
}

/** The kernels' modules, for other threads. */
export const physicsModules = [scatterWasm, gatherWasm, constitutionWasm] as const;

/** Room for particles without motion or deformation and for tracers, all at the origin, over an empty grid. */
export function createWorkspace(dim: Dim, cells: number, count: number, tracers = 0): Workspace {
  const square = dim * dim;
  const nodes = (cells + 2) ** dim * (dim + 1);
  const perThread = 4 * (cells + 4) + 16;
  const perParticle = 2 * dim + 3 * square;
  const bytes = 8 * (nodes + count * perParticle + tracers * dim) + MOST_THREADS * perThread + 1024;
  const { memory, float64, int32 } = createArena(bytes, canShareMemory());
  const f = float64(count * square);
  for (let i = 0; i < count; i++) for (let k = 0; k < dim; k++) f[i * square + k * (dim + 1)] = 1;
  const kernels = Object.assign({}, ...physicsModules.map((wasm) => instantiate(wasm, memory))) as Record<
    string,
    (...args: readonly (number | boolean)[]) => void
  >;
  return {
    memory,
    dim,
    cells,
    nodes: float64(nodes),
    particles: {
      dim,
      count,
      x: float64(count * dim),
      v: float64(count * dim),
      c: float64(count * square),
      f,
      stress: float64(count * square),
    },
    tracers: float64(tracers * dim),
    rows: Array.from({ length: MOST_THREADS }, () => int32(cells + 4)),
    perform: ([name, args]) => kernels[name](...args),
  };
}
