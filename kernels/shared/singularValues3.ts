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

/** Each turns every pair of rows. */
const MAX_SWEEPS = 20;

/** A second singular value below this share of the first is what cancellation left: its row has no direction. */
const RESIDUE: f64 = 1e-30;

// Of two matrices at a time, see decompose3.
let pairU0: v128 = f64x2(0, 0);
let pairU1: v128 = f64x2(0, 0);
let pairU2: v128 = f64x2(0, 0);
let pairU3: v128 = f64x2(0, 0);
let pairU4: v128 = f64x2(0, 0);
let pairU5: v128 = f64x2(0, 0);
let pairU6: v128 = f64x2(0, 0);
let pairU7: v128 = f64x2(0, 0);
let pairU8: v128 = f64x2(0, 0);
let pairS0: v128 = f64x2(0, 0);
let pairS1: v128 = f64x2(0, 0);
let pairS2: v128 = f64x2(0, 0);
let pairV0: v128 = f64x2(0, 0);
let pairV1: v128 = f64x2(0, 0);
let pairV2: v128 = f64x2(0, 0);
let pairV3: v128 = f64x2(0, 0);
let pairV4: v128 = f64x2(0, 0);
let pairV5: v128 = f64x2(0, 0);
let pairV6: v128 = f64x2(0, 0);
let pairV7: v128 = f64x2(0, 0);
let pairV8: v128 = f64x2(0, 0);

// @ts-ignore: decorator
@inline
function both(f: usize, g: usize): v128 {
  return v128.load64_lane(g, v128.load64_zero(f), 1);
}

// @ts-ignore: decorator
@inline
function dot(ax: v128, ay: v128, az: v128, bx: v128, by: v128, bz: v128): v128 {
  return f64x2.add(f64x2.add(f64x2.mul(ax, bx), f64x2.mul(ay, by)), f64x2.mul(az, bz));
}

/** c·a − s·b */
// @ts-ignore: decorator
@inline
function turned(c: v128, a: v128, s: v128, b: v128): v128 {
  return f64x2.sub(f64x2.mul(c, a), f64x2.mul(s, b));
}

/** s·a + c·b */
// @ts-ignore: decorator
@inline
function follows(s: v128, a: v128, c: v128, b: v128): v128 {
  return f64x2.add(f64x2.mul(s, a), f64x2.mul(c, b));
}

/**
 * Singular values of 3×3 matrices: F = U diag(σ) Vᵀ with rotations U and V, σ₁ ≥ σ₂ ≥ |σ₃| (to rounding); σ₃ is negative
 * where det F is. One-sided Jacobi: plane rotations make the rows of UᵀF orthogonal, which keeps small singular values as
 * exact as large ones. Square roots only, no trigonometry, so that every machine gives the same bits. Of two matrices at a
 * time, since each step waits for the one before; neither changes the other's bits. `take` makes one of them the latest.
 */
export function decompose3(f: usize, g: usize): void {
  const one = f64x2.splat(1);
  const zero = f64x2.splat(0);
  // a, b, c are the rows of UᵀF; p, q, r are the columns of U.
  let ax = both(f, g);
  let ay = both(f + 8, g + 8);
  let az = both(f + 16, g + 16);
  let bx = both(f + 24, g + 24);
  let by = both(f + 32, g + 32);
  let bz = both(f + 40, g + 40);
  let cx = both(f + 48, g + 48);
  let cy = both(f + 56, g + 56);
  let cz = both(f + 64, g + 64);
  let px = one;
  let py = zero;
  let pz = zero;
  let qx = zero;
  let qy = one;
  let qz = zero;
  let rx = zero;
  let ry = zero;
  let rz = one;
  let x: v128;
  let y: v128;
  let z: v128;
  // Each round turns a against b and then renames (a, b, c) to (b, c, a), so that one body serves all three pairs. A matrix
  // that is done takes part and does not turn.
  let unquiet = zero;
  for (let round = 1; round <= 3 * MAX_SWEEPS; round++) {
    const ab = dot(ax, ay, az, bx, by, bz);
    const aa = dot(ax, ay, az, ax, ay, az);
    const bb = dot(bx, by, bz, bx, by, bz);
    const turns = f64x2.gt(f64x2.mul(ab, ab), f64x2.mul(f64x2.mul(f64x2.splat(ORTHOGONAL), aa), bb));
    if (v128.any_true(turns)) {
      unquiet = v128.or(unquiet, turns);
      const zeta = f64x2.div(f64x2.sub(bb, aa), f64x2.add(ab, ab));
      const sign = v128.bitselect(one, f64x2.splat(-1), f64x2.ge(zeta, zero));
      const t = f64x2.div(
        sign,
        f64x2.add(f64x2.abs(zeta), f64x2.sqrt(f64x2.add(one, f64x2.mul(zeta, zeta)))),
      );
      const cos = f64x2.div(one, f64x2.sqrt(f64x2.add(one, f64x2.mul(t, t))));
      const s = v128.and(f64x2.mul(cos, t), turns);
      const c = v128.bitselect(cos, one, turns);
      x = ax;
      y = ay;
      z = az;
      ax = turned(c, x, s, bx);
      ay = turned(c, y, s, by);
      az = turned(c, z, s, bz);
      bx = follows(s, x, c, bx);
      by = follows(s, y, c, by);
      bz = follows(s, z, c, bz);
      x = px;
      y = py;
      z = pz;
      px = turned(c, x, s, qx);
      py = turned(c, y, s, qy);
      pz = turned(c, z, s, qz);
      qx = follows(s, x, c, qx);
      qy = follows(s, y, c, qy);
      qz = follows(s, z, c, qz);
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
    // Only after all three pairs, so that names do not depend on the other matrix.
    if (round % 3 == 0) {
      if (!v128.any_true(unquiet)) break;
      unquiet = zero;
    }
  }

  let length1 = f64x2.sqrt(dot(ax, ay, az, ax, ay, az));
  let length2 = f64x2.sqrt(dot(bx, by, bz, bx, by, bz));
  let length3 = f64x2.sqrt(dot(cx, cy, cz, cx, cy, cz));
  // Largest first by neighbours' swaps; one partner is negated, so that U stays a rotation. Without branches, which would
  // often be mispredicted.
  for (let pass = 0; pass < 2; pass++) {
    let less = f64x2.lt(length1, length2);
    x = length1;
    length1 = v128.bitselect(length2, length1, less);
    length2 = v128.bitselect(x, length2, less);
    x = ax;
    ax = v128.bitselect(bx, ax, less);
    bx = v128.bitselect(f64x2.neg(x), bx, less);
    x = ay;
    ay = v128.bitselect(by, ay, less);
    by = v128.bitselect(f64x2.neg(x), by, less);
    x = az;
    az = v128.bitselect(bz, az, less);
    bz = v128.bitselect(f64x2.neg(x), bz, less);
    x = px;
    px = v128.bitselect(qx, px, less);
    qx = v128.bitselect(f64x2.neg(x), qx, less);
    x = py;
    py = v128.bitselect(qy, py, less);
    qy = v128.bitselect(f64x2.neg(x), qy, less);
    x = pz;
    pz = v128.bitselect(qz, pz, less);
    qz = v128.bitselect(f64x2.neg(x), qz, less);
    if (pass) break;
    less = f64x2.lt(length2, length3);
    x = length2;
    length2 = v128.bitselect(length3, length2, less);
    length3 = v128.bitselect(x, length3, less);
    x = bx;
    bx = v128.bitselect(cx, bx, less);
    cx = v128.bitselect(f64x2.neg(x), cx, less);
    x = by;
    by = v128.bitselect(cy, by, less);
    cy = v128.bitselect(f64x2.neg(x), cy, less);
    x = bz;
    bz = v128.bitselect(cz, bz, less);
    cz = v128.bitselect(f64x2.neg(x), cz, less);
    x = qx;
    qx = v128.bitselect(rx, qx, less);
    rx = v128.bitselect(f64x2.neg(x), rx, less);
    x = qy;
    qy = v128.bitselect(ry, qy, less);
    ry = v128.bitselect(f64x2.neg(x), ry, less);
    x = qz;
    qz = v128.bitselect(rz, qz, less);
    rz = v128.bitselect(f64x2.neg(x), rz, less);
  }

  const some = f64x2.gt(length1, zero);
  ax = v128.bitselect(f64x2.div(ax, length1), one, some);
  ay = v128.bitselect(f64x2.div(ay, length1), ay, some);
  az = v128.bitselect(f64x2.div(az, length1), az, some);
  const sound = f64x2.gt(length2, f64x2.mul(f64x2.splat(RESIDUE), length1));
  bx = f64x2.div(bx, length2);
  by = f64x2.div(by, length2);
  bz = f64x2.div(bz, length2);
  if (!i64x2.all_true(sound)) {
    // Any unit vector across the first row will do.
    const flat = f64x2.lt(f64x2.abs(ax), f64x2.splat(0.5));
    x = v128.bitselect(ay, ax, flat);
    x = f64x2.sqrt(f64x2.add(f64x2.mul(x, x), f64x2.mul(az, az)));
    bx = v128.bitselect(bx, v128.andnot(f64x2.div(az, x), flat), sound);
    by = v128.bitselect(by, v128.and(f64x2.neg(f64x2.div(az, x)), flat), sound);
    bz = v128.bitselect(
      bz,
      f64x2.div(v128.bitselect(ay, f64x2.neg(ax), flat), x),
      sound,
    );
  }
  x = f64x2.sub(f64x2.mul(ay, bz), f64x2.mul(az, by));
  y = f64x2.sub(f64x2.mul(az, bx), f64x2.mul(ax, bz));
  z = f64x2.sub(f64x2.mul(ax, by), f64x2.mul(ay, bx));
  pairU0 = px;
  pairU1 = qx;
  pairU2 = rx;
  pairU3 = py;
  pairU4 = qy;
  pairU5 = ry;
  pairU6 = pz;
  pairU7 = qz;
  pairU8 = rz;
  pairS0 = length1;
  pairS1 = length2;
  // Signed, since V has to be a rotation too.
  pairS2 = dot(cx, cy, cz, x, y, z);
  pairV0 = ax;
  pairV1 = ay;
  pairV2 = az;
  pairV3 = bx;
  pairV4 = by;
  pairV5 = bz;
  pairV6 = x;
  pairV7 = y;
  pairV8 = z;
}

/** Makes the decomposition of the first matrix, or of the second, the latest. */
export function take(second: bool): void {
  u0 = lane(pairU0, second);
  u1 = lane(pairU1, second);
  u2 = lane(pairU2, second);
  u3 = lane(pairU3, second);
  u4 = lane(pairU4, second);
  u5 = lane(pairU5, second);
  u6 = lane(pairU6, second);
  u7 = lane(pairU7, second);
  u8 = lane(pairU8, second);
  s0 = lane(pairS0, second);
  s1 = lane(pairS1, second);
  s2 = lane(pairS2, second);
  v0 = lane(pairV0, second);
  v1 = lane(pairV1, second);
  v2 = lane(pairV2, second);
  v3 = lane(pairV3, second);
  v4 = lane(pairV4, second);
  v5 = lane(pairV5, second);
  v6 = lane(pairV6, second);
  v7 = lane(pairV7, second);
  v8 = lane(pairV8, second);
}

// @ts-ignore: decorator
@inline
function lane(v: v128, second: bool): f64 {
  return second ? f64x2.extract_lane(v, 1) : f64x2.extract_lane(v, 0);
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

/** For tests: U, σ, Vᵀ of two matrices that lie behind one another. */
export function singularValues3(pair: usize, out: usize): void {
  decompose3(pair, pair + 72);
  take(false);
  storeLatest(out);
  take(true);
  storeLatest(out + 168);
}

function storeLatest(out: usize): void {
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
