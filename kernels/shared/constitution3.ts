// What materials do with their deformation in 3D: see constitution2.ts.
import {
  decompose3,
  principal3,
  s0,
  s1,
  s2,
  storeRow,
  take,
  u0,
  u1,
  u2,
  u3,
  u4,
  u5,
  u6,
  u7,
  u8,
} from "./singularValues3";
import { e0, e1, e2, mapStrains, setStrains, SMALLEST_STRETCH } from "./yield";

/** `elastic2` in 3D. */
export function elastic3(f: usize, stress: usize, start: i32, end: i32, mu: f64, lambda: f64): void {
  for (let i = start; i < end; i += 2) {
    const at = <usize>i * 72;
    // Of an odd number, the last is its own neighbour.
    const next = i + 1 < end ? at + 72 : at;
    decompose3(f + at, f + next);
    take(false);
    stretch(stress + at, mu, lambda);
    take(true);
    stretch(stress + next, mu, lambda);
  }
}

/** The elastic stress by the latest singular values. */
function stretch(stress: usize, mu: f64, lambda: f64): void {
  const j = s0 * s1 * s2;
  const pressure = lambda * j * (j - 1);
  // (F−R)Fᵀ has the same U, and (σ−1)σ for its values.
  const t0 = 2 * mu * (s0 - 1) * s0 + pressure;
  const t1 = 2 * mu * (s1 - 1) * s1 + pressure;
  const t2 = 2 * mu * (s2 - 1) * s2 + pressure;
  principal3(t0, t1, t2, stress);
}

/** `newtonian2` in 3D: F ← J^⅓ I. */
export function newtonian3(
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
    const at = <usize>i * 72;
    const g = f + at;
    const d = c + at;
    const t = stress + at;
    const determinant =
      load<f64>(g) * (load<f64>(g, 32) * load<f64>(g, 64) - load<f64>(g, 40) * load<f64>(g, 56)) -
      load<f64>(g, 8) * (load<f64>(g, 24) * load<f64>(g, 64) - load<f64>(g, 40) * load<f64>(g, 48)) +
      load<f64>(g, 16) * (load<f64>(g, 24) * load<f64>(g, 56) - load<f64>(g, 32) * load<f64>(g, 48));
    const j = Math.max(determinant, SMALLEST_STRETCH * SMALLEST_STRETCH * SMALLEST_STRETCH);
    if (flow) {
      const side = Math.cbrt(j);
      memory.fill(g, 0, 72);
      store<f64>(g, side);
      store<f64>(g, side, 32);
      store<f64>(g, side, 64);
    }
    const pressure = lambda * j * (j - 1);
    const shear = viscosity * j;
    const xy = shear * (load<f64>(d, 8) + load<f64>(d, 24));
    const xz = shear * (load<f64>(d, 16) + load<f64>(d, 48));
    const yz = shear * (load<f64>(d, 40) + load<f64>(d, 56));
    store<f64>(t, pressure + 2 * shear * load<f64>(d));
    store<f64>(t, xy, 8);
    store<f64>(t, xz, 16);
    store<f64>(t, xy, 24);
    store<f64>(t, pressure + 2 * shear * load<f64>(d, 32), 32);
    store<f64>(t, yz, 40);
    store<f64>(t, xz, 48);
    store<f64>(t, yz, 56);
    store<f64>(t, pressure + 2 * shear * load<f64>(d, 64), 64);
  }
}

/** `hencky2` in 3D. */
export function hencky3(
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
  for (let i = start; i < end; i += 2) {
    const at = <usize>i * 72;
    const next = i + 1 < end ? at + 72 : at;
    decompose3(f + at, f + next);
    take(false);
    flow(f + at, stress + at, mu, lambda, kind, p, q, r, s);
    take(true);
    flow(f + next, stress + next, mu, lambda, kind, p, q, r, s);
  }
}

/** The return map and Hencky's stress by the latest singular values. */
function flow(
  f: usize,
  stress: usize,
  mu: f64,
  lambda: f64,
  kind: i32,
  p: f64,
  q: f64,
  r: f64,
  s: f64,
): void {
  setStrains(3, s0, s1, s2);
  if (mapStrains(3, kind, p, q, r, s)) {
    const a = Math.exp(e0);
    const b = Math.exp(e1);
    const c = Math.exp(e2);
    storeRow(f, u0 * a, u1 * b, u2 * c);
    storeRow(f + 24, u3 * a, u4 * b, u5 * c);
    storeRow(f + 48, u6 * a, u7 * b, u8 * c);
  }
  const pressure = lambda * (e0 + e1 + e2);
  const twice = 2 * mu;
  principal3(twice * e0 + pressure, twice * e1 + pressure, twice * e2 + pressure, stress);
}
