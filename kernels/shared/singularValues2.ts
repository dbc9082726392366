// Singular values of 2×2 matrices, F = U diag(σ₁, σ₂) Vᵀ, and what is made of them. The latest decomposition lies in
// globals, since threads share the memory but not those: U = [[u0, −u1], [u1, u0]], Vᵀ = [[v0, −v1], [v1, v0]].
export let u0: f64;
export let u1: f64;
export let s0: f64;
export let s1: f64;
export let v0: f64;
export let v1: f64;

/**
 * Singular values of a 2×2 matrix in closed form: F = U diag(σ₁, σ₂) Vᵀ, both rotations, σ₁ ≥ |σ₂|; σ₂ is negative where
 * det F is. Square roots only, no trigonometry, so that every machine gives the same bits.
 */
// @ts-ignore: decorator
@inline
export function decompose2(f: usize): void {
  const a = load<f64>(f);
  const b = load<f64>(f, 8);
  const c = load<f64>(f, 16);
  const d = load<f64>(f, 24);
  const e = (a + d) / 2;
  const h = (c - b) / 2;
  const g = (a - d) / 2;
  const k = (c + b) / 2;
  const q = Math.sqrt(e * e + h * h);
  const r = Math.sqrt(g * g + k * k);
  // F is a rotation by β scaled by q, plus a reflection by α scaled by r; U turns by (α+β)/2, Vᵀ by (β−α)/2.
  const cosB = q > 0 ? e / q : 1;
  const sinB = q > 0 ? h / q : 0;
  const cosA = r > 0 ? g / r : 1;
  const sinA = r > 0 ? k / r : 0;
  const cosSum = cosA * cosB - sinA * sinB;
  const sinSum = sinA * cosB + cosA * sinB;
  let cosU: f64;
  let sinU: f64;
  // The half angle from whichever of the two is not a small difference.
  if (cosSum >= 0) {
    cosU = Math.sqrt((1 + cosSum) / 2);
    sinU = sinSum / (2 * cosU);
  } else {
    sinU = Math.sqrt((1 - cosSum) / 2);
    cosU = sinSum / (2 * sinU);
  }
  u0 = cosU;
  u1 = sinU;
  s0 = q + r;
  s1 = q - r;
  v0 = cosB * cosU + sinB * sinU;
  v1 = sinB * cosU - cosB * sinU;
}

/** U diag(t) Uᵀ with the latest U. */
// @ts-ignore: decorator
@inline
export function principal2(t0: f64, t1: f64, stress: usize): void {
  const off = u0 * u1 * (t0 - t1);
  store<f64>(stress, u0 * u0 * t0 + u1 * u1 * t1);
  store<f64>(stress, off, 8);
  store<f64>(stress, off, 16);
  store<f64>(stress, u1 * u1 * t0 + u0 * u0 * t1, 24);
}

/** For tests: cos and sin of U, σ, cos and sin of Vᵀ. */
export function singularValues2(f: usize, out: usize): void {
  decompose2(f);
  store<f64>(out, u0);
  store<f64>(out, u1, 8);
  store<f64>(out, s0, 16);
  store<f64>(out, s1, 24);
  store<f64>(out, v0, 32);
  store<f64>(out, v1, 40);
}
