/** Where {@link svd2} puts its parts. */
export const SVD2 = { cosU: 0, sinU: 1, s: 2, cosV: 4, sinV: 5, length: 6 } as const;

/**
 * Singular values of the 2×2 matrix at `f[at..at+3]` (row-major) in closed form: F = U diag(σ₁, σ₂) Vᵀ with
 * U = [[cosU, −sinU], [sinU, cosU]] and Vᵀ = [[cosV, −sinV], [sinV, cosV]] both rotations, σ₁ ≥ |σ₂|; σ₂ is negative
 * where det F is. Square roots only, no trigonometry, so that every machine gives the same bits.
 */
export function svd2(f: Float64Array, at: number, out: Float64Array): void {
  const a = f[at];
  const b = f[at + 1];
  const c = f[at + 2];
  const d = f[at + 3];
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
  let cosU: number;
  let sinU: number;
  // The half angle from whichever of the two is not a small difference.
  if (cosSum >= 0) {
    cosU = Math.sqrt((1 + cosSum) / 2);
    sinU = sinSum / (2 * cosU);
  } else {
    sinU = Math.sqrt((1 - cosSum) / 2);
    cosU = sinSum / (2 * sinU);
  }
  out[0] = cosU;
  out[1] = sinU;
  out[2] = q + r;
  out[3] = q - r;
  out[4] = cosB * cosU + sinB * sinU;
  out[5] = sinB * cosU - cosB * sinU;
}
