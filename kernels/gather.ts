// From the grid back to particles by the material point method: see kernels/scatter.ts. A thread does so for its own run
// of particles. AssemblyScript: arrays are byte addresses.

import { far, fars, middle, middles, near, nears, weight } from "./shared/spline";

/** v = Σ w u, C = (4/dx²) Σ w u δᵀ, F ← (I + Δt C) F, and x ← x + Δt v, which stays half a cell away from the border. */
export function gather2(
  nodes: usize,
  cells: i32,
  x: usize,
  v: usize,
  c: usize,
  f: usize,
  start: i32,
  end: i32,
  dt: f64,
): void {
  const scale = <f64>cells;
  const cellCounts = f64x2.splat(scale);
  const scales = f64x2.splat(4 * scale);
  const dts = f64x2.splat(dt);
  const lows = f64x2.splat(0.5 * (1 / scale));
  const highs = f64x2.sub(f64x2.splat(1), lows);
  const row = (<usize>cells + 2) * 24;
  const rowBytes = <f64>row;
  if (start >= end) return;
  let i = start;
  // Tested at the end: see update.ts.
  do {
    const p = <usize>i << 4;
    const q = <usize>i << 5;
    const place = v128.load(x + p);
    const scaled = f64x2.mul(place, cellCounts);
    const base = f64x2.trunc(f64x2.sub(scaled, f64x2.splat(0.5)));
    const fraction = f64x2.sub(scaled, base);
    const w0 = nears(fraction);
    const w1 = middles(fraction);
    const w2 = fars(fraction);
    const x0 = v128.shuffle<f64>(w0, w0, 0, 0);
    const x1 = v128.shuffle<f64>(w1, w1, 0, 0);
    const x2 = v128.shuffle<f64>(w2, w2, 0, 0);
    const y0 = v128.shuffle<f64>(w0, w0, 1, 1);
    const y1 = v128.shuffle<f64>(w1, w1, 1, 1);
    const y2 = v128.shuffle<f64>(w2, w2, 1, 1);
    const node =
      nodes + <i32>(f64x2.extract_lane(base, 0) * rowBytes + f64x2.extract_lane(base, 1) * 24);
    const m0 = f64x2.mul(y1, v128.load(node, 24));
    const n0 = f64x2.mul(y2, v128.load(node, 48));
    const p0 = f64x2.mul(x0, f64x2.add(f64x2.add(f64x2.mul(y0, v128.load(node)), m0), n0));
    const m1 = f64x2.mul(y1, v128.load(node + row, 24));
    const n1 = f64x2.mul(y2, v128.load(node + row, 48));
    const p1 = f64x2.mul(x1, f64x2.add(f64x2.add(f64x2.mul(y0, v128.load(node + row)), m1), n1));
    const m2 = f64x2.mul(y1, v128.load(node + 2 * row, 24));
    const n2 = f64x2.mul(y2, v128.load(node + 2 * row, 48));
    const p2 = f64x2.mul(x2, f64x2.add(f64x2.add(f64x2.mul(y0, v128.load(node + 2 * row)), m2), n2));
    const u = f64x2.add(f64x2.add(p0, p1), p2);
    // Columns of C.
    let cx = f64x2.add(p1, f64x2.add(p2, p2));
    let cy = f64x2.add(
      f64x2.add(
        f64x2.mul(x0, f64x2.add(m0, f64x2.add(n0, n0))),
        f64x2.mul(x1, f64x2.add(m1, f64x2.add(n1, n1))),
      ),
      f64x2.mul(x2, f64x2.add(m2, f64x2.add(n2, n2))),
    );
    cx = f64x2.mul(scales, f64x2.sub(cx, f64x2.mul(v128.shuffle<f64>(fraction, fraction, 0, 0), u)));
    cy = f64x2.mul(scales, f64x2.sub(cy, f64x2.mul(v128.shuffle<f64>(fraction, fraction, 1, 1), u)));
    v128.store(v + p, u);
    v128.store(c + q, v128.shuffle<f64>(cx, cy, 0, 2));
    v128.store(c + q, v128.shuffle<f64>(cx, cy, 1, 3), 16);
    const top = v128.load(f + q);
    const bottom = v128.load(f + q, 16);
    const topGain = f64x2.add(
      f64x2.mul(v128.shuffle<f64>(cx, cx, 0, 0), top),
      f64x2.mul(v128.shuffle<f64>(cy, cy, 0, 0), bottom),
    );
    const bottomGain = f64x2.add(
      f64x2.mul(v128.shuffle<f64>(cx, cx, 1, 1), top),
      f64x2.mul(v128.shuffle<f64>(cy, cy, 1, 1), bottom),
    );
    v128.store(f + q, f64x2.add(top, f64x2.mul(dts, topGain)));
    v128.store(f + q, f64x2.add(bottom, f64x2.mul(dts, bottomGain)), 16);
    const moved = f64x2.add(place, f64x2.mul(dts, u));
    v128.store(x + p, f64x2.min(highs, f64x2.max(lows, moved)));
    i++;
  } while (i < end);
}

/** {@link gather2} in 3D. */
export function gather3(
  nodes: usize,
  cells: i32,
  x: usize,
  v: usize,
  c: usize,
  f: usize,
  start: i32,
  end: i32,
  dt: f64,
): void {
  const cellCount = <f64>cells;
  const scale = 4 * cellCount;
  const low = 0.5 * (1 / cellCount);
  const high = 1 - low;
  const row = (<usize>cells + 2) << 5;
  const plane = row * (<usize>cells + 2);
  for (let i = start; i < end; i++) {
    const p = <usize>i * 24;
    const gx = load<f64>(x + p) * cellCount;
    const gy = load<f64>(x + p, 8) * cellCount;
    const gz = load<f64>(x + p, 16) * cellCount;
    const bx = <i32>(gx - 0.5);
    const by = <i32>(gy - 0.5);
    const bz = <i32>(gz - 0.5);
    const fx = gx - <f64>bx;
    const fy = gy - <f64>by;
    const fz = gz - <f64>bz;
    const y0 = f64x2.splat(near(fy));
    const y1 = f64x2.splat(middle(fy));
    const y2 = f64x2.splat(far(fy));
    const z0 = f64x2.splat(near(fz));
    const z1 = f64x2.splat(middle(fz));
    const z2 = f64x2.splat(far(fz));
    // Pairs [x, y] and [z, mass] of a node; what comes of the mass is not used.
    let u1 = f64x2.splat(0);
    let u2 = u1;
    let cx1 = u1;
    let cx2 = u1;
    let cy1 = u1;
    let cy2 = u1;
    let cz1 = u1;
    let cz2 = u1;
    const corner = nodes + <usize>bx * plane + <usize>by * row + (<usize>bz << 5);
    for (let a = 0; a < 3; a++) {
      const node = corner + <usize>a * plane;
      // Three rows of three nodes, first summed along the last axis.
      const m01 = f64x2.mul(z1, v128.load(node, 32));
      const n01 = f64x2.mul(z2, v128.load(node, 64));
      const p01 = f64x2.mul(y0, f64x2.add(f64x2.add(f64x2.mul(z0, v128.load(node)), m01), n01));
      const m02 = f64x2.mul(z1, v128.load(node, 48));
      const n02 = f64x2.mul(z2, v128.load(node, 80));
      const p02 = f64x2.mul(y0, f64x2.add(f64x2.add(f64x2.mul(z0, v128.load(node, 16)), m02), n02));
      const m11 = f64x2.mul(z1, v128.load(node + row, 32));
      const n11 = f64x2.mul(z2, v128.load(node + row, 64));
      const p11 = f64x2.mul(y1, f64x2.add(f64x2.add(f64x2.mul(z0, v128.load(node + row)), m11), n11));
      const m12 = f64x2.mul(z1, v128.load(node + row, 48));
      const n12 = f64x2.mul(z2, v128.load(node + row, 80));
      const p12 = f64x2.mul(y1, f64x2.add(f64x2.add(f64x2.mul(z0, v128.load(node + row, 16)), m12), n12));
      const m21 = f64x2.mul(z1, v128.load(node + 2 * row, 32));
      const n21 = f64x2.mul(z2, v128.load(node + 2 * row, 64));
      const p21 = f64x2.mul(y2, f64x2.add(f64x2.add(f64x2.mul(z0, v128.load(node + 2 * row)), m21), n21));
      const m22 = f64x2.mul(z1, v128.load(node + 2 * row, 48));
      const n22 = f64x2.mul(z2, v128.load(node + 2 * row, 80));
      const p22 = f64x2.mul(y2, f64x2.add(f64x2.add(f64x2.mul(z0, v128.load(node + 2 * row, 16)), m22), n22));
      const wx = f64x2.splat(weight(a, fx));
      const as = f64x2.splat(<f64>a);
      const slice1 = f64x2.mul(wx, f64x2.add(f64x2.add(p01, p11), p21));
      u1 = f64x2.add(u1, slice1);
      cx1 = f64x2.add(cx1, f64x2.mul(as, slice1));
      cy1 = f64x2.add(cy1, f64x2.mul(wx, f64x2.add(p11, f64x2.add(p21, p21))));
      cz1 = f64x2.add(
        cz1,
        f64x2.mul(
          wx,
          f64x2.add(
            f64x2.add(
              f64x2.mul(y0, f64x2.add(m01, f64x2.add(n01, n01))),
              f64x2.mul(y1, f64x2.add(m11, f64x2.add(n11, n11))),
            ),
            f64x2.mul(y2, f64x2.add(m21, f64x2.add(n21, n21))),
          ),
        ),
      );
      const slice2 = f64x2.mul(wx, f64x2.add(f64x2.add(p02, p12), p22));
      u2 = f64x2.add(u2, slice2);
      cx2 = f64x2.add(cx2, f64x2.mul(as, slice2));
      cy2 = f64x2.add(cy2, f64x2.mul(wx, f64x2.add(p12, f64x2.add(p22, p22))));
      cz2 = f64x2.add(
        cz2,
        f64x2.mul(
          wx,
          f64x2.add(
            f64x2.add(
              f64x2.mul(y0, f64x2.add(m02, f64x2.add(n02, n02))),
              f64x2.mul(y1, f64x2.add(m12, f64x2.add(n12, n12))),
            ),
            f64x2.mul(y2, f64x2.add(m22, f64x2.add(n22, n22))),
          ),
        ),
      );
    }
    const vx = f64x2.extract_lane(u1, 0);
    const vy = f64x2.extract_lane(u1, 1);
    const vz = f64x2.extract_lane(u2, 0);
    const cxx = scale * (f64x2.extract_lane(cx1, 0) - fx * vx);
    const cxy = scale * (f64x2.extract_lane(cy1, 0) - fy * vx);
    const cxz = scale * (f64x2.extract_lane(cz1, 0) - fz * vx);
    const cyx = scale * (f64x2.extract_lane(cx1, 1) - fx * vy);
    const cyy = scale * (f64x2.extract_lane(cy1, 1) - fy * vy);
    const cyz = scale * (f64x2.extract_lane(cz1, 1) - fz * vy);
    const czx = scale * (f64x2.extract_lane(cx2, 0) - fx * vz);
    const czy = scale * (f64x2.extract_lane(cy2, 0) - fy * vz);
    const czz = scale * (f64x2.extract_lane(cz2, 0) - fz * vz);
    store<f64>(v + p, vx);
    store<f64>(v + p, vy, 8);
    store<f64>(v + p, vz, 16);
    const d = c + 3 * p;
    store<f64>(d, cxx);
    store<f64>(d, cxy, 8);
    store<f64>(d, cxz, 16);
    store<f64>(d, cyx, 24);
    store<f64>(d, cyy, 32);
    store<f64>(d, cyz, 40);
    store<f64>(d, czx, 48);
    store<f64>(d, czy, 56);
    store<f64>(d, czz, 64);
    for (let column = f + 3 * p, k = 0; k < 3; k++, column += 8) {
      const fa = load<f64>(column);
      const fb = load<f64>(column, 24);
      const fc = load<f64>(column, 48);
      store<f64>(column, fa + dt * (cxx * fa + cxy * fb + cxz * fc));
      store<f64>(column, fb + dt * (cyx * fa + cyy * fb + cyz * fc), 24);
      store<f64>(column, fc + dt * (czx * fa + czy * fb + czz * fc), 48);
    }
    store<f64>(x + p, min(high, max(low, load<f64>(x + p) + dt * vx)));
    store<f64>(x + p, min(high, max(low, load<f64>(x + p, 8) + dt * vy)), 8);
    store<f64>(x + p, min(high, max(low, load<f64>(x + p, 16) + dt * vz)), 16);
  }
}

/** Moves massless points with the velocities on the grid. */
export function carry(
  nodes: usize,
  dim: i32,
  cells: i32,
  x: usize,
  start: i32,
  end: i32,
  dt: f64,
): void {
  const scale = <f64>cells;
  const low = 0.5 * (1 / scale);
  const high = 1 - low;
  const stride = <usize>(dim + 1) << 3;
  const row = (<usize>cells + 2) * (dim == 3 ? stride : 1);
  const plane = (<usize>cells + 2) * (dim == 3 ? row : stride);
  const depth = dim == 3 ? 3 : 1;
  for (let i = start; i < end; i++) {
    const p = x + ((<usize>i * <usize>dim) << 3);
    const gx = load<f64>(p) * scale;
    const gy = load<f64>(p, 8) * scale;
    const gz = dim == 3 ? load<f64>(p, 16) * scale : 1;
    const bx = <i32>(gx - 0.5);
    const by = <i32>(gy - 0.5);
    const bz = <i32>(gz - 0.5);
    const fx = gx - <f64>bx;
    const fy = gy - <f64>by;
    const fz = gz - <f64>bz;
    let vx: f64 = 0;
    let vy: f64 = 0;
    let vz: f64 = 0;
    for (let a = 0; a < 3; a++)
      for (let b = 0; b < 3; b++) {
        const wxy = weight(a, fx) * weight(b, fy);
        for (let c = 0; c < depth; c++) {
          const w = dim == 3 ? wxy * weight(c, fz) : wxy;
          const node =
            dim == 3
              ? nodes + <usize>(bx + a) * plane + <usize>(by + b) * row + <usize>(bz + c) * stride
              : nodes + <usize>(bx + a) * plane + <usize>(by + b) * stride;
          vx += w * load<f64>(node);
          vy += w * load<f64>(node, 8);
          if (dim == 3) vz += w * load<f64>(node, 16);
        }
      }
    store<f64>(p, min(high, max(low, load<f64>(p) + dt * vx)));
    store<f64>(p, min(high, max(low, load<f64>(p, 8) + dt * vy)), 8);
    if (dim == 3) store<f64>(p, min(high, max(low, load<f64>(p, 16) + dt * vz)), 16);
  }
}
