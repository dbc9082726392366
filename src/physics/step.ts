import type { Call } from "../kernels/team.ts";
import type { Range } from "./constitution.ts";
import { constitutionCall } from "./constitution.ts";
import type { Body } from "./particles.ts";
import type { Workspace } from "./workspace.ts";

/** Free slip keeps the velocity along a wall, no slip stops everything. Neither holds anything back that leaves. */
export type Walls = "free-slip" | "no-slip";

export interface StepOptions {
  bodies: readonly Body[];
  dt: number;
  /** m/s² */
  gravity: readonly number[];
  walls: Walls;
  /** Thickness of the walls in nodes; 0 is free space. */
  bound: number;
}

/**
 * What one of several threads does in a time step, as kernel calls; undefined is where all wait for each other. On the
 * grid a thread owns rows, afterwards a share of each body's particles. Every node's sum runs over the particles in their
 * order, and the rest is particle by particle: so the bits do not depend on the number of threads.
 */
export function stepCalls(
  { dim, cells, nodes: { byteOffset: nodes }, particles, tracers, rows: allRows }: Workspace,
  { bodies, dt, gravity, walls, bound }: StepOptions,
  thread: number,
  threads: number,
): Call[] {
  const { x, v, c, f, stress, count } = particles;
  const [px, pv, pc, pf, ps] = [x, v, c, f, stress].map((array) => array.byteOffset);
  const rows = allRows[thread].byteOffset;
  const share = ({ start, end }: Range): Range => ({
    start: start + Math.floor(((end - start) * thread) / threads),
    end: start + Math.floor(((end - start) * (thread + 1)) / threads),
  });
  const gain = [0, 1, 2].map((k) => dt * (gravity[k] ?? 0));
  const carried = share({ start: 0, end: tracers.length / dim });
  return [
    ["divideRows", [rows, px, dim, count, cells, thread, threads]],
    ["clearRows", [nodes, dim, cells, rows]],
    ...bodies.map(
      ({ material, start, end, volume }): Call => [
        `scatter${dim}`,
        [nodes, cells, rows, px, pv, pc, ps, start, end, material.density * volume, volume, dt],
      ],
    ),
    ["updateNodes", [nodes, dim, cells, rows, ...gain, walls === "no-slip", bound]],
    undefined,
    ["carry", [nodes, dim, cells, tracers.byteOffset, carried.start, carried.end, dt]],
    ...bodies.flatMap((body): Call[] => {
      const { start, end } = share(body);
      return [
        [`gather${dim}`, [nodes, cells, px, pv, pc, pf, start, end, dt]],
        constitutionCall(body.material, particles, { start, end }, { dt, flow: true }),
      ];
    }),
    undefined,
  ];
}
