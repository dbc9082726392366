// What materials do with their deformation in 2D. Arrays are byte addresses; matrices are row-major, one particle's behind
// the other's.
import { decompose2, principal2, s0, s1, u0, u1, v0, v1 } from "./singularValues2";
import { e0, e1, mapStrains, setStrains, SMALLEST_STRETCH } from "./yield";

/** Fixed corotated stress 2μ(F−R)Fᵀ + λJ(J−1)I. */
export function elastic2(f: usize, stress: usize, start: i32, end: i32, mu: f64, lambda: f64): void {
  for (let i = start; i < end; i++) {
    const at = <usize>i << 5;
    const a = load<f64>(f + at);
    const b = load<f64>(f + at, 8);
    const c = load<f64>(f + at, 16);
    const d = load<f64>(f + at, 24);
    // The nearest rotation in closed form.
    const e = a + d;
    const h = c - b;
    const length = Math.sqrt(e * e + h * h);
    const cos = length > 0 ? e / length : 1;
    const sin = length > 0 ? h / length : 0;
    const j = a * d - b * c;
    const pressure = lambda * j * (j - 1);
    const off = 2 * mu * ((a - cos) * c + (b + sin) * d);
    store<f64>(stress + at, 2 * mu * ((a - cos) * a + (b + sin) * b) + pressure);
    store<f64>(stress + at, off, 8);
    store<f64>(stress + at, off, 16);
    store<f64>(stress + at, 2 * mu * ((c - sin) * c + (d - cos) * d) + pressure, 24);
  }
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
