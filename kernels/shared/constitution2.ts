// What materials do with their deformation in 2D. Arrays are byte addresses; matrices are row-major, one particle's behind
// the other's.
import { decompose2, principal2, s0, s1, u0, u1, v0, v1 } from "./singularValues2";
import { e0, e1, mapStrains, setStrains, SMALLEST_STRETCH } from "./yield";

/** Fixed corotated stress 2μ(F−R)Fᵀ + λJ(J−1)I, of two particles at a time. */
export function elastic2(f: usize, stress: usize, start: i32, end: i32, mu: f64, lambda: f64): void {
  const one = f64x2.splat(1);
  const zero = f64x2.splat(0);
  const shear = f64x2.splat(2 * mu);
  const bulk = f64x2.splat(lambda);
  if (start >= end) return;
  let i = start;
  // Tested at the end: see kernels/update.ts.
  do {
    const at = <usize>i << 5;
    // Of an odd number, the last is its own neighbour.
    const next = at + (<usize>(i + 1 < end) << 5);
    const top = v128.load(f + at);
    const bottom = v128.load(f + at, 16);
    const nextTop = v128.load(f + next);
    const nextBottom = v128.load(f + next, 16);
    const a = v128.shuffle<f64>(top, nextTop, 0, 2);
    const b = v128.shuffle<f64>(top, nextTop, 1, 3);
    const c = v128.shuffle<f64>(bottom, nextBottom, 0, 2);
    const d = v128.shuffle<f64>(bottom, nextBottom, 1, 3);
    // The nearest rotation in closed form.
    const e = f64x2.add(a, d);
    const h = f64x2.sub(c, b);
    const length = f64x2.sqrt(f64x2.add(f64x2.mul(e, e), f64x2.mul(h, h)));
    const turned = f64x2.gt(length, zero);
    const cos = v128.bitselect(f64x2.div(e, length), one, turned);
    const sin = v128.and(f64x2.div(h, length), turned);
    const j = f64x2.sub(f64x2.mul(a, d), f64x2.mul(b, c));
    const pressure = f64x2.mul(f64x2.mul(bulk, j), f64x2.sub(j, one));
    const ar = f64x2.sub(a, cos);
    const br = f64x2.add(b, sin);
    const cr = f64x2.sub(c, sin);
    const dr = f64x2.sub(d, cos);
    const first = f64x2.add(f64x2.mul(shear, f64x2.add(f64x2.mul(ar, a), f64x2.mul(br, b))), pressure);
    const off = f64x2.mul(shear, f64x2.add(f64x2.mul(ar, c), f64x2.mul(br, d)));
    const last = f64x2.add(f64x2.mul(shear, f64x2.add(f64x2.mul(cr, c), f64x2.mul(dr, d))), pressure);
    v128.store(stress + at, v128.shuffle<f64>(first, off, 0, 2));
    v128.store(stress + at, v128.shuffle<f64>(off, last, 0, 2), 16);
    v128.store(stress + next, v128.shuffle<f64>(first, off, 1, 3));
    v128.store(stress + next, v128.shuffle<f64>(off, last, 1, 3), 16);
    i += 2;
  } while (i < end);
}

/** Stress λJ(J−1)I + 2ηJ sym(C); where it may flow, F ← J^½ I. */
export function newtonian2(
  f: usize,
  c: usize,
  stress: usize,
  start: i32,
  end: i32,
  lambda: f64,
  viscosity: f64,
  flow: bool,
): void {
  for (let i = start; i < end; i++) {
    const at = <usize>i << 5;
    const g = f + at;
    const d = c + at;
    const t = stress + at;
    const determinant = load<f64>(g) * load<f64>(g, 24) - load<f64>(g, 8) * load<f64>(g, 16);
    const j = Math.max(determinant, SMALLEST_STRETCH * SMALLEST_STRETCH);
    if (flow) {
      const side = Math.sqrt(j);
      store<f64>(g, side);
      store<f64>(g, 0, 8);
      store<f64>(g, 0, 16);
      store<f64>(g, side, 24);
    }
    const pressure = lambda * j * (j - 1);
    const shear = viscosity * j;
    const off = shear * (load<f64>(d, 8) + load<f64>(d, 16));
    store<f64>(t, pressure + 2 * shear * load<f64>(d));
    store<f64>(t, off, 8);
    store<f64>(t, off, 16);
    store<f64>(t, pressure + 2 * shear * load<f64>(d, 24), 24);
  }
}

/** The return map, then Hencky's stress U diag(2με + λ tr ε) Uᵀ. */
export function hencky2(
  f: usize,
  stress: usize,
  start: i32,
  end: i32,
  mu: f64,
  lambda: f64,
  kind: i32,
  p: f64,
  q: f64,
  r: f64,
  s: f64,
): void {
  for (let i = start; i < end; i++) {
    const at = <usize>i << 5;
    decompose2(f + at);
    setStrains(2, s0, s1, 1);
    if (mapStrains(2, kind, p, q, r, s)) {
      const a = Math.exp(e0);
      const b = Math.exp(e1);
      store<f64>(f + at, u0 * a * v0 - u1 * b * v1);
      store<f64>(f + at, -u0 * a * v1 - u1 * b * v0, 8);
      store<f64>(f + at, u1 * a * v0 + u0 * b * v1, 16);
      store<f64>(f + at, -u1 * a * v1 + u0 * b * v0, 24);
    }
    const pressure = lambda * (e0 + e1);
    principal2(2 * mu * e0 + pressure, 2 * mu * e1 + pressure, stress + at);
  }
}
