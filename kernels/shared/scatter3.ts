// From particles to the grid in 3D, see kernels/scatter.ts.
import { add, lanes } from "./lanes";
import { far, middle, near } from "./spline";

/** `scatter2` in 3D. */
export function scatter3(
  nodes: usize,
  cells: i32,
  rows: usize,
  x: usize,
  v: usize,
  c: usize,
  stress: usize,
  start: i32,
  end: i32,
  mass: f64,
  volume: f64,
  dt: f64,
): void {
  const scale = <f64>cells;
  const push = -dt * volume * 4 * scale;
  const drag = mass * (1 / scale);
  const from = load<i32>(rows);
  const to = load<i32>(rows, 4);
  let i = start;
  while (i < end) {
    let bx = sliceOf(x, i, scale);
    // As in scatter2.
    if (bx >= from && bx + 3 <= to) {
      do {
        spread3(nodes, cells, scale, push, drag, bx, from, to, x, v, c, stress, i, mass, true);
        if (++i >= end) return;
        bx = sliceOf(x, i, scale);
      } while (bx >= from && bx + 3 <= to);
    }
    if (bx < to && bx + 3 > from)
      spread3(nodes, cells, scale, push, drag, bx, from, to, x, v, c, stress, i, mass, false);
    i++;
  }
}

/** The first slice of the grid that a particle adds to. */
// @ts-ignore: decorator
@inline
function sliceOf(x: usize, i: i32, scale: f64): i32 {
  return <i32>(load<f64>(x + <usize>i * 24) * scale - 0.5);
}

/** `spread2` in 3D. */
// @ts-ignore: decorator
@inline
function spread3(
  nodes: usize,
  cells: i32,
  scale: f64,
  push: f64,
  drag: f64,
  bx: i32,
  from: i32,
  to: i32,
  x: usize,
  v: usize,
  c: usize,
  stress: usize,
  i: i32,
  mass: f64,
  all: bool,
): void {
  const row = (<usize>cells + 2) << 5;
  const plane = row * (<usize>cells + 2);
  const p = <usize>i * 24;
  const gx = load<f64>(x + p) * scale;
  const gy = load<f64>(x + p, 8) * scale;
  const gz = load<f64>(x + p, 16) * scale;
  const by = <i32>(gy - 0.5);
  const bz = <i32>(gz - 0.5);
  const fx = gx - <f64>bx;
  const fy = gy - <f64>by;
  const fz = gz - <f64>bz;
  const y0 = near(fy);
  const y1 = middle(fy);
  const y2 = far(fy);
  const z0 = f64x2.splat(near(fz));
  const z1 = f64x2.splat(middle(fz));
  const z2 = f64x2.splat(far(fz));
  // A·dx, so that offsets count in cells.
  const s = stress + 3 * p;
  const d = c + 3 * p;
  const axx = push * load<f64>(s) + drag * load<f64>(d);
  const axy = push * load<f64>(s, 8) + drag * load<f64>(d, 8);
  const axz = push * load<f64>(s, 16) + drag * load<f64>(d, 16);
  const ayx = push * load<f64>(s, 24) + drag * load<f64>(d, 24);
  const ayy = push * load<f64>(s, 32) + drag * load<f64>(d, 32);
  const ayz = push * load<f64>(s, 40) + drag * load<f64>(d, 40);
  const azx = push * load<f64>(s, 48) + drag * load<f64>(d, 48);
  const azy = push * load<f64>(s, 56) + drag * load<f64>(d, 56);
  const azz = push * load<f64>(s, 64) + drag * load<f64>(d, 64);
  // A node's four numbers are two pairs, [x, y] and [z, mass]; so are A's columns.
  const ax1 = lanes(axx, ayx);
  const ax2 = lanes(azx, 0);
  const ay1 = lanes(axy, ayy);
  const ay2 = lanes(azy, 0);
  const az1 = lanes(axz, ayz);
  const az2 = lanes(azz, 0);
  let m1 = lanes(
    mass * load<f64>(v + p) - axx * fx - axy * fy - axz * fz,
    mass * load<f64>(v + p, 8) - ayx * fx - ayy * fy - ayz * fz,
  );
  let m2 = lanes(mass * load<f64>(v + p, 16) - azx * fx - azy * fy - azz * fz, mass);
  const node = nodes + <usize>bx * plane + <usize>by * row + (<usize>bz << 5);
  if (all || bx >= from) addSlice(node, row, near(fx), y0, y1, y2, z0, z1, z2, m1, m2, ay1, ay2, az1, az2);
  m1 = f64x2.add(m1, ax1);
  m2 = f64x2.add(m2, ax2);
  if (all || (bx + 1 >= from && bx + 1 < to))
    addSlice(node + plane, row, middle(fx), y0, y1, y2, z0, z1, z2, m1, m2, ay1, ay2, az1, az2);
  m1 = f64x2.add(m1, ax1);
  m2 = f64x2.add(m2, ax2);
  if (all || bx + 2 < to)
    addSlice(node + 2 * plane, row, far(fx), y0, y1, y2, z0, z1, z2, m1, m2, ay1, ay2, az1, az2);
}

/** Three rows of three nodes from the momentum at the first, and how it grows along either axis. */
// @ts-ignore: decorator
@inline
function addSlice(
  node: usize,
  row: usize,
  weight: f64,
  y0: f64,
  y1: f64,
  y2: f64,
  z0: v128,
  z1: v128,
  z2: v128,
  m1: v128,
  m2: v128,
  ay1: v128,
  ay2: v128,
  az1: v128,
  az2: v128,
): void {
  const twice1 = f64x2.add(az1, az1);
  const twice2 = f64x2.add(az2, az2);
  addNodes(node, weight * y0, z0, z1, z2, m1, m2, az1, az2, twice1, twice2);
  m1 = f64x2.add(m1, ay1);
  m2 = f64x2.add(m2, ay2);
  addNodes(node + row, weight * y1, z0, z1, z2, m1, m2, az1, az2, twice1, twice2);
  m1 = f64x2.add(m1, ay1);
  m2 = f64x2.add(m2, ay2);
  addNodes(node + 2 * row, weight * y2, z0, z1, z2, m1, m2, az1, az2, twice1, twice2);
}

/** Three nodes of four numbers along the last axis. */
// @ts-ignore: decorator
@inline
function addNodes(
  node: usize,
  weight: f64,
  z0: v128,
  z1: v128,
  z2: v128,
  m1: v128,
  m2: v128,
  az1: v128,
  az2: v128,
  twice1: v128,
  twice2: v128,
): void {
  const w = f64x2.splat(weight);
  const w0 = f64x2.mul(w, z0);
  const w1 = f64x2.mul(w, z1);
  const w2 = f64x2.mul(w, z2);
  add(node, w0, m1);
  add(node + 16, w0, m2);
  add(node + 32, w1, f64x2.add(m1, az1));
  add(node + 48, w1, f64x2.add(m2, az2));
  add(node + 64, w2, f64x2.add(m1, twice1));
  add(node + 80, w2, f64x2.add(m2, twice2));
}
