import type { Grid } from "./grid.ts";
import type { Particles } from "./particles.ts";

/**
 * Particles to grid in 2D, MLS-MPM with quadratic B-splines: node masses Σ w m and momenta Σ w (m v + A δ) with
 * A = −Δt V₀ (4/dx²) τ + m C.
 */
export function scatter2(
  { nodes, side, cells, dx }: Grid,
  { x, v, c, stress }: Particles,
  start: number,
  end: number,
  mass: number,
  volume: number,
  dt: number,
): void {
  const push = -dt * volume * 4 * cells;
  const drag = mass * dx;
  const row = 3 * side;
  for (let i = start; i < end; i++) {
    const p = 2 * i;
    const q = 4 * i;
    const gx = x[p] * cells;
    const gy = x[p + 1] * cells;
    const bx = (gx - 0.5) | 0;
    const by = (gy - 0.5) | 0;
    const fx = gx - bx;
    const fy = gy - by;
    const wy0 = 0.5 * (1.5 - fy) * (1.5 - fy);
    const wy1 = 0.75 - (fy - 1) * (fy - 1);
    const wy2 = 0.5 * (fy - 0.5) * (fy - 0.5);
    // A·dx, so that offsets count in cells.
    const axx = push * stress[q] + drag * c[q];
    const axy = push * stress[q + 1] + drag * c[q + 1];
    const ayx = push * stress[q + 2] + drag * c[q + 2];
    const ayy = push * stress[q + 3] + drag * c[q + 3];
    let mx = mass * v[p] - axx * fx - axy * fy;
    let my = mass * v[p + 1] - ayx * fx - ayy * fy;
    for (let o = 0, at = bx * row + by * 3; o < 3; o++, at += row) {
      const wx =
        o === 0
          ? 0.5 * (1.5 - fx) * (1.5 - fx)
          : o === 1
            ? 0.75 - (fx - 1) * (fx - 1)
            : 0.5 * (fx - 0.5) * (fx - 0.5);
      const w0 = wx * wy0;
      const w1 = wx * wy1;
      const w2 = wx * wy2;
      nodes[at] += w0 * mass;
      nodes[at + 1] += w0 * mx;
      nodes[at + 2] += w0 * my;
      nodes[at + 3] += w1 * mass;
      nodes[at + 4] += w1 * (mx + axy);
      nodes[at + 5] += w1 * (my + ayy);
      nodes[at + 6] += w2 * mass;
      nodes[at + 7] += w2 * (mx + 2 * axy);
      nodes[at + 8] += w2 * (my + 2 * ayy);
      mx += axx;
      my += ayx;
    }
  }
}

/**
 * Grid to particles in 2D: v = Σ w u, C = (4/dx²) Σ w u δᵀ, F ← (I + Δt C) F, and x ← x + Δt v, which stays half a cell
 * away from the border.
 */
export function gather2(
  { nodes, side, cells, dx }: Grid,
  { x, v, c, f }: Particles,
  start: number,
  end: number,
  dt: number,
): void {
  const row = 3 * side;
  const scale = 4 * cells;
  const low = 0.5 * dx;
  const high = 1 - low;
  for (let i = start; i < end; i++) {
    const p = 2 * i;
    const q = 4 * i;
    const gx = x[p] * cells;
    const gy = x[p + 1] * cells;
    const bx = (gx - 0.5) | 0;
    const by = (gy - 0.5) | 0;
    const fx = gx - bx;
    const fy = gy - by;
    const wy0 = 0.5 * (1.5 - fy) * (1.5 - fy);
    const wy1 = 0.75 - (fy - 1) * (fy - 1);
    const wy2 = 0.5 * (fy - 0.5) * (fy - 0.5);
    let vx = 0;
    let vy = 0;
    let cxx = 0;
    let cxy = 0;
    let cyx = 0;
    let cyy = 0;
    for (let o = 0, at = bx * row + by * 3; o < 3; o++, at += row) {
      const wx =
        o === 0
          ? 0.5 * (1.5 - fx) * (1.5 - fx)
          : o === 1
            ? 0.75 - (fx - 1) * (fx - 1)
            : 0.5 * (fx - 0.5) * (fx - 0.5);
      const x1 = wy1 * nodes[at + 4];
      const x2 = wy2 * nodes[at + 7];
      const y1 = wy1 * nodes[at + 5];
      const y2 = wy2 * nodes[at + 8];
      const ux = wx * (wy0 * nodes[at + 1] + x1 + x2);
      const uy = wx * (wy0 * nodes[at + 2] + y1 + y2);
      vx += ux;
      vy += uy;
      cxx += o * ux;
      cyx += o * uy;
      cxy += wx * (x1 + 2 * x2);
      cyy += wx * (y1 + 2 * y2);
    }
    cxx = scale * (cxx - fx * vx);
    cxy = scale * (cxy - fy * vx);
    cyx = scale * (cyx - fx * vy);
    cyy = scale * (cyy - fy * vy);
    v[p] = vx;
    v[p + 1] = vy;
    c[q] = cxx;
    c[q + 1] = cxy;
    c[q + 2] = cyx;
    c[q + 3] = cyy;
    for (let k = q; k < q + 2; k++) {
      const fa = f[k];
      const fb = f[k + 2];
      f[k] = fa + dt * (cxx * fa + cxy * fb);
      f[k + 2] = fb + dt * (cyx * fa + cyy * fb);
    }
    const nx = x[p] + dt * vx;
    const ny = x[p + 1] + dt * vy;
    x[p] = nx < low ? low : nx > high ? high : nx;
    x[p + 1] = ny < low ? low : ny > high ? high : ny;
  }
}
