import type { Grid } from "./grid.ts";
import type { Particles } from "./particles.ts";

/** {@link scatter2} in 3D. */
export function scatter3(
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
  const row = 4 * side;
  const plane = row * side;
  for (let i = start; i < end; i++) {
    const p = 3 * i;
    const q = 9 * i;
    const gx = x[p] * cells;
    const gy = x[p + 1] * cells;
    const gz = x[p + 2] * cells;
    const bx = (gx - 0.5) | 0;
    const by = (gy - 0.5) | 0;
    const bz = (gz - 0.5) | 0;
    const fx = gx - bx;
    const fy = gy - by;
    const fz = gz - bz;
    const wz0 = 0.5 * (1.5 - fz) * (1.5 - fz);
    const wz1 = 0.75 - (fz - 1) * (fz - 1);
    const wz2 = 0.5 * (fz - 0.5) * (fz - 0.5);
    // A·dx, so that offsets count in cells.
    const axx = push * stress[q] + drag * c[q];
    const axy = push * stress[q + 1] + drag * c[q + 1];
    const axz = push * stress[q + 2] + drag * c[q + 2];
    const ayx = push * stress[q + 3] + drag * c[q + 3];
    const ayy = push * stress[q + 4] + drag * c[q + 4];
    const ayz = push * stress[q + 5] + drag * c[q + 5];
    const azx = push * stress[q + 6] + drag * c[q + 6];
    const azy = push * stress[q + 7] + drag * c[q + 7];
    const azz = push * stress[q + 8] + drag * c[q + 8];
    let sx = mass * v[p] - axx * fx - axy * fy - axz * fz;
    let sy = mass * v[p + 1] - ayx * fx - ayy * fy - ayz * fz;
    let sz = mass * v[p + 2] - azx * fx - azy * fy - azz * fz;
    for (let a = 0; a < 3; a++) {
      const wx =
        a === 0
          ? 0.5 * (1.5 - fx) * (1.5 - fx)
          : a === 1
            ? 0.75 - (fx - 1) * (fx - 1)
            : 0.5 * (fx - 0.5) * (fx - 0.5);
      let mx = sx;
      let my = sy;
      let mz = sz;
      for (let b = 0, at = (bx + a) * plane + by * row + bz * 4; b < 3; b++, at += row) {
        const wxy =
          wx *
          (b === 0
            ? 0.5 * (1.5 - fy) * (1.5 - fy)
            : b === 1
              ? 0.75 - (fy - 1) * (fy - 1)
              : 0.5 * (fy - 0.5) * (fy - 0.5));
        const w0 = wxy * wz0;
        const w1 = wxy * wz1;
        const w2 = wxy * wz2;
        nodes[at] += w0 * mass;
        nodes[at + 1] += w0 * mx;
        nodes[at + 2] += w0 * my;
        nodes[at + 3] += w0 * mz;
        nodes[at + 4] += w1 * mass;
        nodes[at + 5] += w1 * (mx + axz);
        nodes[at + 6] += w1 * (my + ayz);
        nodes[at + 7] += w1 * (mz + azz);
        nodes[at + 8] += w2 * mass;
        nodes[at + 9] += w2 * (mx + 2 * axz);
        nodes[at + 10] += w2 * (my + 2 * ayz);
        nodes[at + 11] += w2 * (mz + 2 * azz);
        mx += axy;
        my += ayy;
        mz += azy;
      }
      sx += axx;
      sy += ayx;
      sz += azx;
    }
  }
}

/** {@link gather2} in 3D. */
export function gather3(
  { nodes, side, cells, dx }: Grid,
  { x, v, c, f }: Particles,
  start: number,
  end: number,
  dt: number,
): void {
  const row = 4 * side;
  const plane = row * side;
  const scale = 4 * cells;
  const low = 0.5 * dx;
  const high = 1 - low;
  for (let i = start; i < end; i++) {
    const p = 3 * i;
    const q = 9 * i;
    const gx = x[p] * cells;
    const gy = x[p + 1] * cells;
    const gz = x[p + 2] * cells;
    const bx = (gx - 0.5) | 0;
    const by = (gy - 0.5) | 0;
    const bz = (gz - 0.5) | 0;
    const fx = gx - bx;
    const fy = gy - by;
    const fz = gz - bz;
    const wz0 = 0.5 * (1.5 - fz) * (1.5 - fz);
    const wz1 = 0.75 - (fz - 1) * (fz - 1);
    const wz2 = 0.5 * (fz - 0.5) * (fz - 0.5);
    let vx = 0;
    let vy = 0;
    let vz = 0;
    let cxx = 0;
    let cxy = 0;
    let cxz = 0;
    let cyx = 0;
    let cyy = 0;
    let cyz = 0;
    let czx = 0;
    let czy = 0;
    let czz = 0;
    for (let a = 0; a < 3; a++) {
      const wx =
        a === 0
          ? 0.5 * (1.5 - fx) * (1.5 - fx)
          : a === 1
            ? 0.75 - (fx - 1) * (fx - 1)
            : 0.5 * (fx - 0.5) * (fx - 0.5);
      let px = 0;
      let py = 0;
      let pz = 0;
      for (let b = 0, at = (bx + a) * plane + by * row + bz * 4; b < 3; b++, at += row) {
        const w =
          wx *
          (b === 0
            ? 0.5 * (1.5 - fy) * (1.5 - fy)
            : b === 1
              ? 0.75 - (fy - 1) * (fy - 1)
              : 0.5 * (fy - 0.5) * (fy - 0.5));
        const x1 = wz1 * nodes[at + 5];
        const x2 = wz2 * nodes[at + 9];
        const y1 = wz1 * nodes[at + 6];
        const y2 = wz2 * nodes[at + 10];
        const z1 = wz1 * nodes[at + 7];
        const z2 = wz2 * nodes[at + 11];
        const ux = w * (wz0 * nodes[at + 1] + x1 + x2);
        const uy = w * (wz0 * nodes[at + 2] + y1 + y2);
        const uz = w * (wz0 * nodes[at + 3] + z1 + z2);
        px += ux;
        py += uy;
        pz += uz;
        cxy += b * ux;
        cyy += b * uy;
        czy += b * uz;
        cxz += w * (x1 + 2 * x2);
        cyz += w * (y1 + 2 * y2);
        czz += w * (z1 + 2 * z2);
      }
      vx += px;
      vy += py;
      vz += pz;
      cxx += a * px;
      cyx += a * py;
      czx += a * pz;
    }
    cxx = scale * (cxx - fx * vx);
    cxy = scale * (cxy - fy * vx);
    cxz = scale * (cxz - fz * vx);
    cyx = scale * (cyx - fx * vy);
    cyy = scale * (cyy - fy * vy);
    cyz = scale * (cyz - fz * vy);
    czx = scale * (czx - fx * vz);
    czy = scale * (czy - fy * vz);
    czz = scale * (czz - fz * vz);
    v[p] = vx;
    v[p + 1] = vy;
    v[p + 2] = vz;
    c[q] = cxx;
    c[q + 1] = cxy;
    c[q + 2] = cxz;
    c[q + 3] = cyx;
    c[q + 4] = cyy;
    c[q + 5] = cyz;
    c[q + 6] = czx;
    c[q + 7] = czy;
    c[q + 8] = czz;
    for (let k = q; k < q + 3; k++) {
      const fa = f[k];
      const fb = f[k + 3];
      const fc = f[k + 6];
      f[k] = fa + dt * (cxx * fa + cxy * fb + cxz * fc);
      f[k + 3] = fb + dt * (cyx * fa + cyy * fb + cyz * fc);
      f[k + 6] = fc + dt * (czx * fa + czy * fb + czz * fc);
    }
    const nx = x[p] + dt * vx;
    const ny = x[p + 1] + dt * vy;
    const nz = x[p + 2] + dt * vz;
    x[p] = nx < low ? low : nx > high ? high : nx;
    x[p + 1] = ny < low ? low : ny > high ? high : ny;
    x[p + 2] = nz < low ? low : nz > high ? high : nz;
  }
}
