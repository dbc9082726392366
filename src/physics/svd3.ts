/** Where {@link svd3} puts its parts: U row-major, the three singular values, Vᵀ row-major. */
export const SVD3 = { u: 0, s: 9, vt: 12, length: 21 } as const;

/** Squared cosine between two rows below which they count as orthogonal. */
const ORTHOGONAL = 1e-31;

const MAX_ROTATIONS = 60;

/** A second singular value below this share of the first is what cancellation left: its row has no direction. */
const RESIDUE = 1e-30;

/**
 * Singular values of the 3×3 matrix at `f[at..at+8]` (row-major): F = U diag(σ) Vᵀ with rotations U and V, σ₁ ≥ σ₂ ≥ |σ₃|
 * (to rounding); σ₃ is negative where det F is. One-sided Jacobi: plane rotations make the rows of UᵀF orthogonal, which keeps small
 * singular values as exact as large ones. Square roots only, no trigonometry, so that every machine gives the same bits.
 */
export function svd3(f: Float64Array, at: number, out: Float64Array): void {
  // a, b, c are the rows of UᵀF; p, q, r are the columns of U.
  let ax = f[at];
  let ay = f[at + 1];
  let az = f[at + 2];
  let bx = f[at + 3];
  let by = f[at + 4];
  let bz = f[at + 5];
  let cx = f[at + 6];
  let cy = f[at + 7];
  let cz = f[at + 8];
  let px = 1;
  let py = 0;
  let pz = 0;
  let qx = 0;
  let qy = 1;
  let qz = 0;
  let rx = 0;
  let ry = 0;
  let rz = 1;
  let x: number;
  let y: number;
  let z: number;
  // Each round turns a against b and then renames (a, b, c) to (b, c, a), so that one body serves all three pairs.
  for (let round = 0, quiet = 0; round < MAX_ROTATIONS && quiet < 3; round++) {
    const dot = ax * bx + ay * by + az * bz;
    const aa = ax * ax + ay * ay + az * az;
    const bb = bx * bx + by * by + bz * bz;
    quiet++;
    if (dot * dot > ORTHOGONAL * aa * bb) {
      quiet = 0;
      const zeta = (bb - aa) / (2 * dot);
      const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
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

  let s1 = Math.sqrt(ax * ax + ay * ay + az * az);
  let s2 = Math.sqrt(bx * bx + by * by + bz * bz);
  let s3 = Math.sqrt(cx * cx + cy * cy + cz * cz);
  // Largest first by neighbours' swaps; one partner is negated, so that U stays a rotation.
  for (let pass = 0; pass < 3; pass++) {
    if (pass !== 1 && s1 < s2) {
      x = s1;
      s1 = s2;
      s2 = x;
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
    if (pass === 1 && s2 < s3) {
      x = s2;
      s2 = s3;
      s3 = x;
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

  if (s1 > 0) {
    ax /= s1;
    ay /= s1;
    az /= s1;
  } else ax = 1;
  if (s2 > RESIDUE * s1) {
    bx /= s2;
    by /= s2;
    bz /= s2;
  } else {
    // Any unit vector across the first row will do.
    const flat = Math.abs(ax) < 0.5;
    x = flat ? Math.sqrt(ay * ay + az * az) : Math.sqrt(ax * ax + az * az);
    bx = flat ? 0 : az / x;
    by = flat ? -az / x : 0;
    bz = flat ? ay / x : -ax / x;
  }
  x = ay * bz - az * by;
  y = az * bx - ax * bz;
  z = ax * by - ay * bx;
  out[0] = px;
  out[1] = qx;
  out[2] = rx;
  out[3] = py;
  out[4] = qy;
  out[5] = ry;
  out[6] = pz;
  out[7] = qz;
  out[8] = rz;
  out[9] = s1;
  out[10] = s2;
  // Signed, since V has to be a rotation too.
  out[11] = cx * x + cy * y + cz * z;
  out[12] = ax;
  out[13] = ay;
  out[14] = az;
  out[15] = bx;
  out[16] = by;
  out[17] = bz;
  out[18] = x;
  out[19] = y;
  out[20] = z;
}
