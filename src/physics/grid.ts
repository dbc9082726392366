import type { Dim } from "./particles.ts";

/** Free slip keeps the velocity along a wall, no slip stops everything. Neither holds anything back that leaves. */
export type Walls = "free-slip" | "no-slip";

/**
 * The background grid over the unit box: node i of an axis sits at i·dx, 0 ≤ i ≤ cells+1 (the last one lets the stencil of a
 * particle near the upper end stay inside). `nodes` holds mass and momentum, later velocity: [side, side(, side), 1 + dim].
 */
export interface Grid {
  readonly dim: Dim;
  readonly cells: number;
  readonly dx: number;
  readonly side: number;
  readonly nodes: Float64Array;
}

export function createGrid(dim: Dim, cells: number): Grid {
  const side = cells + 2;
  return { dim, cells, dx: 1 / cells, side, nodes: new Float64Array(side ** dim * (dim + 1)) };
}

export interface GridForces {
  dt: number;
  gravity: readonly number[];
  walls: Walls;
  /** Thickness of the walls in nodes; 0 is free space. */
  bound: number;
}

/** Momentum becomes velocity; then gravity and walls. */
export function updateGrid(
  { dim, cells, side, nodes }: Grid,
  { dt, gravity, walls, bound }: GridForces,
): void {
  const stride = dim + 1;
  const noSlip = walls === "no-slip";
  const depth = dim === 3 ? side : 1;
  const top = bound > 0 ? cells - bound : side;
  const index = [0, 0, 0];
  for (let a = 0, at = 0; a < side; a++) {
    index[0] = a;
    for (let b = 0; b < side; b++) {
      index[1] = b;
      for (let c = 0; c < depth; c++, at += stride) {
        const mass = nodes[at];
        if (mass === 0) continue;
        index[2] = c;
        let stuck = false;
        for (let k = 0; k < dim; k++) {
          let u = nodes[at + 1 + k] / mass + dt * gravity[k];
          if ((index[k] < bound && u < 0) || (index[k] > top && u > 0)) {
            u = 0;
            stuck = true;
          }
          nodes[at + 1 + k] = u;
        }
        if (stuck && noSlip) for (let k = 0; k < dim; k++) nodes[at + 1 + k] = 0;
      }
    }
  }
}
