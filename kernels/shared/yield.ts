// Principal logarithmic strains and what materials can bear of them. They lie in globals, since threads share the memory
// but not those.

/** Singular values are raised to this before their logarithm is taken: a violent impact can turn a particle inside out. */
export const SMALLEST_STRETCH: f64 = 0.05;

export let e0: f64;
export let e1: f64;
export let e2: f64;

/** Of the first `dim` principal stretches. */
// @ts-ignore: decorator
@inline
export function setStrains(dim: i32, stretch0: f64, stretch1: f64, stretch2: f64): void {
  e0 = strain(stretch0);
  e1 = strain(stretch1);
  if (dim == 3) e2 = strain(stretch2);
}

// @ts-ignore: decorator
@inline
function strain(stretch: f64): f64 {
  return Math.log(max(stretch, SMALLEST_STRETCH));
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
export function mapStrains(dim: i32, kind: i32, p: f64, q: f64, r: f64, s: f64): bool {
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
