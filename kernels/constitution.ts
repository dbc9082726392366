// What materials do with their deformation, the inner loops of src/physics/constitution.ts, where the equations stand.
// float64; matrices are row-major, one particle's behind the other's. AssemblyScript: arrays are byte addresses.
//
// Functions hand singular values and vectors to each other in globals, since threads share the memory but not those.

/** Singular values are raised to this before their logarithm is taken: a violent impact can turn a particle inside out. */
const SMALLEST_STRETCH: f64 = 0.05;

// Of the latest decomposition: rows of U, σ, rows of Vᵀ. In 2D U = [[u0, −u1], [u1, u0]] and Vᵀ = [[v0, −v1], [v1, v0]].
let u0: f64;
let u1: f64;
let u2: f64;
let u3: f64;
let u4: f64;
let u5: f64;
let u6: f64;
let u7: f64;
let u8: f64;
let s0: f64;
let s1: f64;
let s2: f64;
let v0: f64;
let v1: f64;
let v2: f64;
let v3: f64;
let v4: f64;
let v5: f64;
let v6: f64;
let v7: f64;
let v8: f64;

// Principal logarithmic strains.
let e0: f64;
let e1: f64;
let e2: f64;

/**
 * Singular values of a 2×2 matrix in closed form: F = U diag(σ₁, σ₂) Vᵀ, both rotations, σ₁ ≥ |σ₂|; σ₂ is negative where
 * det F is. Square roots only, no trigonometry, so that every machine gives the same bits.
 */
// @ts-ignore: decorator
@inline
function decompose2(f: usize): void {
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
function decompose3(f: usize): void {
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

/** U diag(t) Uᵀ */
// @ts-ignore: decorator
@inline
function principal2(t0: f64, t1: f64, stress: usize): void {
  const off = u0 * u1 * (t0 - t1);
  store<f64>(stress, u0 * u0 * t0 + u1 * u1 * t1);
  store<f64>(stress, off, 8);
  store<f64>(stress, off, 16);
  store<f64>(stress, u1 * u1 * t0 + u0 * u0 * t1, 24);
}

/** U diag(t) Uᵀ */
function principal3(t0: f64, t1: f64, t2: f64, stress: usize): void {
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

/** {@link elastic2} in 3D. */
export function elastic3(f: usize, stress: usize, start: i32, end: i32, mu: f64, lambda: f64): void {
  for (let i = start; i < end; i++) {
    const at = <usize>i * 72;
    decompose3(f + at);
    const j = s0 * s1 * s2;
    const pressure = lambda * j * (j - 1);
    // (F−R)Fᵀ has the same U, and (σ−1)σ for its values.
    const t0 = 2 * mu * (s0 - 1) * s0 + pressure;
    const t1 = 2 * mu * (s1 - 1) * s1 + pressure;
    const t2 = 2 * mu * (s2 - 1) * s2 + pressure;
    principal3(t0, t1, t2, stress + at);
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

/** {@link newtonian2} in 3D: F ← J^⅓ I. */
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

// Return maps of principal logarithmic strains, by the numbers that src/physics/plasticity.ts gives them: a kind and its
// parameters p, q, r, s.
const NONE = 0;
const DRUCKER_PRAGER = 1;
const VON_MISES = 2;
const BINGHAM = 3;

/** Moves the strains to what the material can bear, and says whether that changed them. */
// @ts-ignore: decorator
@inline
function mapStrains(dim: i32, kind: i32, p: f64, q: f64, r: f64, s: f64): bool {
  if (kind == NONE) return false;
  const mean = dim == 2 ? (e0 + e1) / 2 : (e0 + e1 + e2) / 3;
  const d0 = e0 - mean;
  const d1 = e1 - mean;
  const d2 = dim == 2 ? 0 : e2 - mean;
  let length: f64;
  let shorter: f64;
  if (kind == DRUCKER_PRAGER) {
    // Slope p of the cone, cohesion q, ratio r of bulk to shear.
    const trace = <f64>dim * (mean - q);
    if (trace >= 0) {
      e0 = e1 = e2 = q;
      return true;
    }
    length = Math.sqrt(d0 * d0 + d1 * d1 + d2 * d2);
    const excess = length + p * trace * r;
    if (excess <= 0) return false;
    e0 -= (excess * d0) / length;
    e1 -= (excess * d1) / length;
    if (dim == 3) e2 -= (excess * d2) / length;
    return true;
  }
  // The others change the length of the deviatoric strain and leave its direction and the volume alone.
  length = Math.sqrt(d0 * d0 + d1 * d1 + d2 * d2);
  if (kind == VON_MISES) shorter = p;
  else {
    // Perzyna's overstress, implicit in time: what exceeds the yield stress p relaxes. r is 2μ.
    const stress = r * length;
    if (!(stress > p)) return false;
    shorter = (kind == BINGHAM ? p + (stress - p) * q : herschelBulkley(stress, p, q, s)) / r;
  }
  if (!(shorter < length)) return false;
  e0 = mean + (d0 * shorter) / length;
  e1 = mean + (d1 * shorter) / length;
  if (dim == 3) e2 = mean + (d2 * shorter) / length;
  return true;
}

const BISECTIONS = 60;

/** The root of stress − x = ((x − yield)·scale)^power, which is monotone. */
function herschelBulkley(stress: f64, yieldStress: f64, scale: f64, power: f64): f64 {
  let low = yieldStress;
  let high = stress;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (stress - middle > Math.pow((middle - yieldStress) * scale, power)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

// @ts-ignore: decorator
@inline
function strain(stretch: f64): f64 {
  return Math.log(max(stretch, SMALLEST_STRETCH));
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
    e0 = strain(s0);
    e1 = strain(s1);
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

/** {@link hencky2} in 3D. */
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
  for (let i = start; i < end; i++) {
    const at = <usize>i * 72;
    decompose3(f + at);
    e0 = strain(s0);
    e1 = strain(s1);
    e2 = strain(s2);
    if (mapStrains(3, kind, p, q, r, s)) {
      const a = Math.exp(e0);
      const b = Math.exp(e1);
      const c = Math.exp(e2);
      storeRow(f + at, u0 * a, u1 * b, u2 * c);
      storeRow(f + at + 24, u3 * a, u4 * b, u5 * c);
      storeRow(f + at + 48, u6 * a, u7 * b, u8 * c);
    }
    const pressure = lambda * (e0 + e1 + e2);
    const twice = 2 * mu;
    principal3(twice * e0 + pressure, twice * e1 + pressure, twice * e2 + pressure, stress + at);
  }
}

/** A row times Vᵀ. */
// @ts-ignore: decorator
@inline
function storeRow(to: usize, a: f64, b: f64, c: f64): void {
  store<f64>(to, a * v0 + b * v3 + c * v6);
  store<f64>(to, a * v1 + b * v4 + c * v7, 8);
  store<f64>(to, a * v2 + b * v5 + c * v8, 16);
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

/** For tests: the return map of the `dim` strains at an address. */
export function yieldStrains(dim: i32, strains: usize, kind: i32, p: f64, q: f64, r: f64, s: f64): bool {
  e0 = load<f64>(strains);
  e1 = load<f64>(strains, 8);
  e2 = dim == 3 ? load<f64>(strains, 16) : 0;
  const changed = mapStrains(dim, kind, p, q, r, s);
  store<f64>(strains, e0);
  store<f64>(strains, e1, 8);
  if (dim == 3) store<f64>(strains, e2, 16);
  return changed;
}
