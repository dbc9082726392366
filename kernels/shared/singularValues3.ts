// Singular values of 3×3 matrices, F = U diag(σ) Vᵀ, and what is made of them. The latest decomposition lies in globals,
// since threads share the memory but not those: rows of U, σ, rows of Vᵀ.
export let u0: f64;
export let u1: f64;
export let u2: f64;
export let u3: f64;
export let u4: f64;
export let u5: f64;
export let u6: f64;
export let u7: f64;
export let u8: f64;
export let s0: f64;
export let s1: f64;
export let s2: f64;
export let v0: f64;
export let v1: f64;
export let v2: f64;
export let v3: f64;
export let v4: f64;
export let v5: f64;
export let v6: f64;
export let v7: f64;
export let v8: f64;

/** Squared cosine between two rows below which they count as orthogonal. */
const ORTHOGONAL: f64 = 1e-31;

const MAX_ROTATIONS = 60;

/** A second singular value below this share of the first is what cancellation left: its row has no direction. */
const RESIDUE: f64 = 1e-30;

/**
 * Singular values of a 3×3 matrix: F = U diag(σ) Vᵀ with rotations U and V, σ₁ ≥ σ₂ ≥ |σ₃| (to rounding); σ₃ is negative
 * where det F is. One-sided Jacobi: plane rotations make the rows of UᵀF orthogonal, which keeps small singular values as
 * exact as large ones. Square roots only, no trigonometry, so that every machine gives the same bits.
 */
export function decompose3(f: usize): void {
  // a, b, c are the rows of UᵀF; p, q, r are the columns of U.
  let ax = load<f64>(f);
  let ay = load<f64>(f, 8);
  let az = load<f64>(f, 16);
  let bx = load<f64>(f, 24);
  let by = load<f64>(f, 32);
  let bz = load<f64>(f, 40);
  let cx = load<f64>(f, 48);
  let cy = load<f64>(f, 56);
  let cz = load<f64>(f, 64);
  let px: f64 = 1;
  let py: f64 = 0;
  let pz: f64 = 0;
  let qx: f64 = 0;
  let qy: f64 = 1;
  let qz: f64 = 0;
  let rx: f64 = 0;
  let ry: f64 = 0;
  let rz: f64 = 1;
  let x: f64;
  let y: f64;
  let z: f64;
  // Each round turns a against b and then renames (a, b, c) to (b, c, a), so that one body serves all three pairs.
  for (let round = 0, quiet = 0; round < MAX_ROTATIONS && quiet < 3; round++) {
    const dot = ax * bx + ay * by + az * bz;
    const aa = ax * ax + ay * ay + az * az;
    const bb = bx * bx + by * by + bz * bz;
    quiet++;
    if (dot * dot > ORTHOGONAL * aa * bb) {
      quiet = 0;
      const zeta = (bb - aa) / (2 * dot);
      const t = (zeta >= 0 ? <f64>1 : <f64>-1) / (abs(zeta) + Math.sqrt(1 + zeta * zeta));
      const c = 1 / Math.sqrt(1 + t * t);
      const s = c * t;
      x = c * ax - s * bx;
      y = c * ay - s * by;
      z = c * az - s * bz;
      bx = s * ax + c * bx;
      by = s * ay + c * by;
      bz = s * az + c * bz;
      ax = x;
      ay = y;
      az = z;
      x = c * px - s * qx;
      y = c * py - s * qy;
      z = c * pz - s * qz;
      qx = s * px + c * qx;
      qy = s * py + c * qy;
      qz = s * pz + c * qz;
      px = x;
      py = y;
      pz = z;
    }
    x = ax;
    y = ay;
    z = az;
    ax = bx;
    ay = by;
    az = bz;
    bx = cx;
    by = cy;
    bz = cz;
    cx = x;
    cy = y;
    cz = z;
    x = px;
    y = py;
    z = pz;
    px = qx;
    py = qy;
    pz = qz;
    qx = rx;
    qy = ry;
    qz = rz;
    rx = x;
    ry = y;
    rz = z;
  }

  let length1 = Math.sqrt(ax * ax + ay * ay + az * az);
  let length2 = Math.sqrt(bx * bx + by * by + bz * bz);
  let length3 = Math.sqrt(cx * cx + cy * cy + cz * cz);
  // Largest first by neighbours' swaps; one partner is negated, so that U stays a rotation.
  for (let pass = 0; pass < 3; pass++) {
    if (pass != 1 && length1 < length2) {
      x = length1;
      length1 = length2;
      length2 = x;
      x = ax;
      y = ay;
      z = az;
      ax = bx;
      ay = by;
      az = bz;
      bx = -x;
      by = -y;
      bz = -z;
      x = px;
      y = py;
      z = pz;
      px = qx;
      py = qy;
      pz = qz;
      qx = -x;
      qy = -y;
      qz = -z;
    }
    if (pass == 1 && length2 < length3) {
      x = length2;
      length2 = length3;
      length3 = x;
      x = bx;
      y = by;
      z = bz;
      bx = cx;
      by = cy;
      bz = cz;
      cx = -x;
      cy = -y;
      cz = -z;
      x = qx;
      y = qy;
      z = qz;
      qx = rx;
      qy = ry;
      qz = rz;
      rx = -x;
      ry = -y;
      rz = -z;
    }
  }

  if (length1 > 0) {
    ax /= length1;
    ay /= length1;
    az /= length1;
  } else ax = 1;
  if (length2 > RESIDUE * length1) {
    bx /= length2;
    by /= length2;
    bz /= length2;
  } else {
    // Any unit vector across the first row will do.
    const flat = abs(ax) < 0.5;
    x = flat ? Math.sqrt(ay * ay + az * az) : Math.sqrt(ax * ax + az * az);
    bx = flat ? 0 : az / x;
    by = flat ? -az / x : 0;
    bz = flat ? ay / x : -ax / x;
  }
  x = ay * bz - az * by;
  y = az * bx - ax * bz;
  z = ax * by - ay * bx;
  u0 = px;
  u1 = qx;
  u2 = rx;
  u3 = py;
  u4 = qy;
  u5 = ry;
  u6 = pz;
  u7 = qz;
  u8 = rz;
  s0 = length1;
  s1 = length2;
  // Signed, since V has to be a rotation too.
  s2 = cx * x + cy * y + cz * z;
  v0 = ax;
  v1 = ay;
  v2 = az;
  v3 = bx;
  v4 = by;
  v5 = bz;
  v6 = x;
  v7 = y;
  v8 = z;
}

/** U diag(t) Uᵀ with the latest U. */
export function principal3(t0: f64, t1: f64, t2: f64, stress: usize): void {
  const a = u0;
  const b = u1;
  const c = u2;
  const d = u3;
  const e = u4;
  const f = u5;
  const g = u6;
  const h = u7;
  const k = u8;
  const xy = a * d * t0 + b * e * t1 + c * f * t2;
  const xz = a * g * t0 + b * h * t1 + c * k * t2;
  const yz = d * g * t0 + e * h * t1 + f * k * t2;
  store<f64>(stress, a * a * t0 + b * b * t1 + c * c * t2);
  store<f64>(stress, xy, 8);
  store<f64>(stress, xz, 16);
  store<f64>(stress, xy, 24);
  store<f64>(stress, d * d * t0 + e * e * t1 + f * f * t2, 32);
  store<f64>(stress, yz, 40);
  store<f64>(stress, xz, 48);
  store<f64>(stress, yz, 56);
  store<f64>(stress, g * g * t0 + h * h * t1 + k * k * t2, 64);
}

/** A row times Vᵀ. */
// @ts-ignore: decorator
@inline
export function storeRow(to: usize, a: f64, b: f64, c: f64): void {
  store<f64>(to, a * v0 + b * v3 + c * v6);
  store<f64>(to, a * v1 + b * v4 + c * v7, 8);
  store<f64>(to, a * v2 + b * v5 + c * v8, 16);
}

/** For tests: U, σ, Vᵀ. */
export function singularValues3(f: usize, out: usize): void {
  decompose3(f);
  store<f64>(out, u0);
  store<f64>(out, u1, 8);
  store<f64>(out, u2, 16);
  store<f64>(out, u3, 24);
  store<f64>(out, u4, 32);
  store<f64>(out, u5, 40);
  store<f64>(out, u6, 48);
  store<f64>(out, u7, 56);
  store<f64>(out, u8, 64);
  store<f64>(out, s0, 72);
  store<f64>(out, s1, 80);
  store<f64>(out, s2, 88);
  store<f64>(out, v0, 96);
  store<f64>(out, v1, 104);
  store<f64>(out, v2, 112);
  store<f64>(out, v3, 120);
  store<f64>(out, v4, 128);
  store<f64>(out, v5, 136);
  store<f64>(out, v6, 144);
  store<f64>(out, v7, 152);
  store<f64>(out, v8, 160);
}
