// From particles to the grid by the material point method, with quadratic B-splines and APIC (GIOROM spec 3.1), in float64;
// src/physics/workspace.ts says how arrays lie. AssemblyScript: arrays are byte addresses.
//
// Several threads share a step. On the grid each one owns the rows (slices of the first axis) `from` ≤ row < `to` that
// divideRows has chosen for it: it looks at all particles in turn and adds what falls into its rows. So a node's sum has
// the same order, and the same bits, whatever the number of threads.

import { far, fars, middle, middles, near, nears, weight } from "./shared/spline";

// @ts-ignore: decorator
@inline
function lanes(a: f64, b: f64): v128 {
  return f64x2.replace_lane(f64x2.splat(a), 1, b);
}

/** target += w·v, two at a time */
// @ts-ignore: decorator
@inline
function add(target: usize, w: v128, v: v128): void {
  v128.store(target, f64x2.add(v128.load(target), f64x2.mul(w, v)));
}

/**
 * Chooses a thread's rows, so that all have about as much to add. Writes `from` and `to` to `rows`, which has room for
 * cells + 4 int32.
 */
export function divideRows(
  rows: usize,
  x: usize,
  dim: i32,
  count: i32,
  cells: i32,
  thread: i32,
  threads: i32,
): void {
  const side = cells + 2;
  store<i32>(rows, 0);
  store<i32>(rows, side, 4);
  if (threads == 1) return;
  const counts = rows + 8;
  memory.fill(counts, 0, <usize>side << 2);
  const stride = <usize>dim << 3;
  const scale = <f64>cells;
  const end = x + <usize>count * stride;
  for (; x < end; x += stride) {
    const slot = counts + (<usize>(<i32>(load<f64>(x) * scale - 0.5)) << 2);
    store<i32>(slot, load<i32>(slot) + 1);
  }
  // A particle adds to its own row and the next two. A thread's rows end before its share of all that is reached.
  const total = 3 * <i64>count;
  let sum: i64 = 0;
  let from = 0;
  let to = 0;
  for (let row = 0, before = 0, previous = 0; row < side; row++) {
    const own = load<i32>(counts + (<usize>row << 2));
    sum += own + previous + before;
    before = previous;
    previous = own;
    if (sum * threads < total * thread) from = row + 1;
    if (sum * threads < total * (thread + 1)) to = row + 1;
  }
  store<i32>(rows, from);
  if (thread + 1 < threads) store<i32>(rows, to, 4);
}

/** Empties a thread's rows of the grid. */
export function clearRows(nodes: usize, dim: i32, cells: i32, rows: usize): void {
  const side = <usize>cells + 2;
  const row = (dim == 2 ? side * 3 : side * side * 4) << 3;
  const from = <usize>load<i32>(rows);
  const to = <usize>load<i32>(rows, 4);
  memory.fill(nodes + from * row, 0, (to - from) * row);
}

/** Node masses Σ w m and momenta Σ w (m v + A δ) with A = −Δt V₀ (4/dx²) τ + m C. */
export function scatter2(
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
  const push = f64x2.splat(-dt * volume * 4 * scale);
  const drag = f64x2.splat(mass * (1 / scale));
  const scales = f64x2.splat(scale);
  // Rows as float64, like the particles' own: integers would cost conversions back and forth.
  const from = <f64>load<i32>(rows);
  const to = <f64>load<i32>(rows, 4);
  let i = start;
  while (i < end) {
    let bx = rowOf(x, i, scale);
    if (bx >= from && bx + 3 <= to) {
      // A path without branches, since V8 computes what only branches use in each of them; and a loop that tests at its
      // end, since V8 takes what stays the same out of no other.
      do {
        spread2(nodes, cells, scales, push, drag, from, to, x, v, c, stress, i, mass, true);
        if (++i >= end) return;
        bx = rowOf(x, i, scale);
      } while (bx >= from && bx + 3 <= to);
    }
    if (bx < to && bx + 3 > from)
      spread2(nodes, cells, scales, push, drag, from, to, x, v, c, stress, i, mass, false);
    i++;
  }
}

/** The first row of the grid that a particle adds to. */
// @ts-ignore: decorator
@inline
function rowOf(x: usize, i: i32, scale: f64): f64 {
  return Math.trunc(load<f64>(x + (<usize>i << 4)) * scale - 0.5);
}

/** Adds a particle to the nodes of the rows that are the thread's; to all, where they are known to be. */
// @ts-ignore: decorator
@inline
function spread2(
  nodes: usize,
  cells: i32,
  scales: v128,
  push: v128,
  drag: v128,
  from: f64,
  to: f64,
  x: usize,
  v: usize,
  c: usize,
  stress: usize,
  i: i32,
  mass: f64,
  all: bool,
): void {
  const row = (<usize>cells + 2) * 24;
  const p = <usize>i << 4;
  const q = <usize>i << 5;
  const place = f64x2.mul(v128.load(x + p), scales);
  const base = f64x2.trunc(f64x2.sub(place, f64x2.splat(0.5)));
  const bx = f64x2.extract_lane(base, 0);
  const f = f64x2.sub(place, base);
  const w0 = nears(f);
  const w1 = middles(f);
  const w2 = fars(f);
  const y0 = v128.shuffle<f64>(w0, w0, 1, 1);
  const y1 = v128.shuffle<f64>(w1, w1, 1, 1);
  const y2 = v128.shuffle<f64>(w2, w2, 1, 1);
  // A·dx by columns, so that offsets count in cells.
  const top = f64x2.add(
    f64x2.mul(push, v128.load(stress + q)),
    f64x2.mul(drag, v128.load(c + q)),
  );
  const bottom = f64x2.add(
    f64x2.mul(push, v128.load(stress + q, 16)),
    f64x2.mul(drag, v128.load(c + q, 16)),
  );
  const ax = v128.shuffle<f64>(top, bottom, 0, 2);
  const ay = v128.shuffle<f64>(top, bottom, 1, 3);
  const twice = f64x2.add(ay, ay);
  let m = f64x2.sub(
    f64x2.sub(
      f64x2.mul(f64x2.splat(mass), v128.load(v + p)),
      f64x2.mul(ax, v128.shuffle<f64>(f, f, 0, 0)),
    ),
    f64x2.mul(ay, v128.shuffle<f64>(f, f, 1, 1)),
  );
  const node = nodes + <i32>(bx * <f64>row + f64x2.extract_lane(base, 1) * 24);
  // Written out row by row: a loop's weights would have to be looked up.
  if (all || bx >= from) addRow(node, v128.shuffle<f64>(w0, w0, 0, 0), y0, y1, y2, mass, m, ay, twice);
  m = f64x2.add(m, ax);
  if (all || (bx + 1 >= from && bx + 1 < to))
    addRow(node + row, v128.shuffle<f64>(w1, w1, 0, 0), y0, y1, y2, mass, m, ay, twice);
  m = f64x2.add(m, ax);
  if (all || bx + 2 < to)
    addRow(node + 2 * row, v128.shuffle<f64>(w2, w2, 0, 0), y0, y1, y2, mass, m, ay, twice);
}

/** Three nodes from the momentum at the first, and how it grows along the row. */
// @ts-ignore: decorator
@inline
function addRow(
  node: usize,
  weight: v128,
  y0: v128,
  y1: v128,
  y2: v128,
  mass: f64,
  m: v128,
  ay: v128,
  twice: v128,
): void {
  // Loads and stores of the same pairs in every particle: a load from parts of two stores would have to wait for both.
  const w0 = f64x2.mul(weight, y0);
  const w1 = f64x2.mul(weight, y1);
  const w2 = f64x2.mul(weight, y2);
  add(node, w0, m);
  store<f64>(node, load<f64>(node, 16) + f64x2.extract_lane(w0, 0) * mass, 16);
  add(node + 24, w1, f64x2.add(m, ay));
  store<f64>(node, load<f64>(node, 40) + f64x2.extract_lane(w1, 0) * mass, 40);
  add(node + 48, w2, f64x2.add(m, twice));
  store<f64>(node, load<f64>(node, 64) + f64x2.extract_lane(w2, 0) * mass, 64);
}

/** {@link scatter2} in 3D. */
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
    // See scatter2.
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

/**
 * In a thread's rows, momentum becomes velocity; then gravity, as velocity gained in a step, and walls of `bound` nodes:
 * a velocity into a wall becomes 0, and without slip the whole of it.
 */
export function updateNodes(
  nodes: usize,
  dim: i32,
  cells: i32,
  rows: usize,
  gainX: f64,
  gainY: f64,
  gainZ: f64,
  noSlip: bool,
  bound: i32,
): void {
  const side = cells + 2;
  const depth = dim == 3 ? side : 1;
  const stride = <usize>(dim + 1) << 3;
  const top = bound > 0 ? cells - bound : side;
  const gain = lanes(gainX, gainY);
  const from = load<i32>(rows);
  const to = load<i32>(rows, 4);
  let node = nodes + <usize>(from * side * depth) * stride;
  for (let a = from; a < to; a++)
    for (let b = 0; b < side; b++) {
      const inside = a >= bound && a <= top && b >= bound && b <= top;
      for (let c = 0; c < depth; c++, node += stride) {
        const mass = load<f64>(node + stride - 8);
        if (mass == 0) continue;
        const u = f64x2.add(f64x2.div(v128.load(node), f64x2.splat(mass)), gain);
        v128.store(node, u);
        const z = dim == 3 ? load<f64>(node, 16) / mass + gainZ : 0;
        if (dim == 3) store<f64>(node, z, 16);
        if (inside && (dim == 2 || (c >= bound && c <= top))) continue;
        const x = f64x2.extract_lane(u, 0);
        const y = f64x2.extract_lane(u, 1);
        const stopX = (a < bound && x < 0) || (a > top && x > 0);
        const stopY = (b < bound && y < 0) || (b > top && y > 0);
        const stopZ = dim == 3 && ((c < bound && z < 0) || (c > top && z > 0));
        const stuck = noSlip && (stopX || stopY || stopZ);
        if (stopX || stuck) store<f64>(node, 0);
        if (stopY || stuck) store<f64>(node, 0, 8);
        if (stopZ || (stuck && dim == 3)) store<f64>(node, 0, 16);
      }
    }
}
