import type { Grid } from "./grid.ts";

const weights = new Float64Array(9);
const base = [0, 0, 0];

/** Moves massless points, [count, dim], with the velocities on the grid: one gather each. */
export function carryTracers({ dim, nodes, side, cells, dx }: Grid, x: Float64Array, dt: number): void {
  const low = 0.5 * dx;
  const depth = dim === 3 ? 3 : 1;
  for (let p = 0; p < x.length; p += dim) {
    for (let k = 0; k < dim; k++) {
      const g = x[p + k] * cells;
      base[k] = (g - 0.5) | 0;
      const f = g - base[k];
      weights[3 * k] = 0.5 * (1.5 - f) * (1.5 - f);
      weights[3 * k + 1] = 0.75 - (f - 1) * (f - 1);
      weights[3 * k + 2] = 0.5 * (f - 0.5) * (f - 0.5);
    }
    let vx = 0;
    let vy = 0;
    let vz = 0;
    for (let a = 0; a < 3; a++)
      for (let b = 0; b < 3; b++) {
        const wxy = weights[a] * weights[3 + b];
        const row = (base[0] + a) * side + base[1] + b;
        for (let c = 0; c < depth; c++) {
          const w = dim === 3 ? wxy * weights[6 + c] : wxy;
          const at = (dim === 3 ? row * side + base[2] + c : row) * (dim + 1);
          vx += w * nodes[at + 1];
          vy += w * nodes[at + 2];
          if (dim === 3) vz += w * nodes[at + 3];
        }
      }
    x[p] = Math.min(1 - low, Math.max(low, x[p] + dt * vx));
    x[p + 1] = Math.min(1 - low, Math.max(low, x[p + 1] + dt * vy));
    if (dim === 3) x[p + 2] = Math.min(1 - low, Math.max(low, x[p + 2] + dt * vz));
  }
}
