// From particles to the grid in 2D, see kernels/scatter.ts.
import { add } from "./lanes";
import { fars, middles, nears } from "./spline";

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
