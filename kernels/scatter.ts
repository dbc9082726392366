// From particles to the grid by the material point method, with quadratic B-splines and APIC (GIOROM spec 3.1), in float64;
// src/physics/workspace.ts says how arrays lie. AssemblyScript: arrays are byte addresses.
//
// Several threads share a step. On the grid each one owns the rows (slices of the first axis) `from` ≤ row < `to` that
// divideRows has chosen for it: it looks at all particles in turn and adds what falls into its rows. So a node's sum has
// the same order, and the same bits, whatever the number of threads.

import { lanes } from "./shared/lanes";

export { scatter2 } from "./shared/scatter2";
export { scatter3 } from "./shared/scatter3";

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
