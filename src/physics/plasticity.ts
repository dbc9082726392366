import type { Material } from "./materials.ts";
import { lame } from "./materials.ts";

/**
 * A return map in principal logarithmic strains ε = log σ: moves them back to what the material can bear, in place, and
 * says whether it changed them.
 */
export type ReturnMap = (strain: Float64Array) => boolean;

/**
 * The return map of a material whose elasticity is Hencky's, for `strain` of `dim` entries and time steps of `dt` seconds
 * (only rate-dependent materials use it). Equations: GIOROM spec 3.2, after NCLaw.
 */
export function returnMapOf(material: Material, dim: number, dt: number): ReturnMap {
  const { mu, lambda } = lame(material);
  switch (material.family) {
    case "granular":
      return druckerPrager(material.frictionAngle, material.cohesion, (dim * lambda + 2 * mu) / (2 * mu));
    case "elastoplastic":
      return shorten((size) => Math.min(size, material.yieldStress / (2 * mu)));
    case "nonNewtonian": {
      const { yieldStress, viscosity, exponent } = material;
      const relax =
        exponent === 1
          ? bingham(yieldStress, viscosity, 2 * mu * dt)
          : herschelBulkley(yieldStress, viscosity, exponent, 2 * mu * dt);
      return shorten((size) => relax(2 * mu * size) / (2 * mu));
    }
    default:
      return () => false;
  }
}

/** Changes the length of the deviatoric strain and leaves its direction and the volume alone. */
function shorten(lengthOf: (length: number) => number): ReturnMap {
  return (strain) => {
    const mean = meanOf(strain);
    const length = deviation(strain, mean);
    const target = lengthOf(length);
    if (!(target < length)) return false;
    for (let k = 0; k < strain.length; k++) strain[k] = mean + ((strain[k] - mean) * target) / length;
    return true;
  };
}

/** Perzyna's overstress, implicit in time: what exceeds the yield stress relaxes at the rate stress / viscosity. */
function bingham(yieldStress: number, viscosity: number, stiffness: number): (stress: number) => number {
  const share = 1 / (1 + stiffness / viscosity);
  return (stress) => (stress > yieldStress ? yieldStress + (stress - yieldStress) * share : stress);
}

const BISECTIONS = 60;

/** The root s of stress − s = stiffness ((s − yield)/viscosity)^(1/exponent), which is monotone. */
function herschelBulkley(yieldStress: number, viscosity: number, exponent: number, stiffness: number) {
  return (stress: number): number => {
    if (stress <= yieldStress) return stress;
    let low = yieldStress;
    let high = stress;
    for (let i = 0; i < BISECTIONS; i++) {
      const middle = (low + high) / 2;
      const flow = stiffness * ((middle - yieldStress) / viscosity) ** (1 / exponent);
      if (stress - middle > flow) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
}

function druckerPrager(frictionAngle: number, cohesion: number, bulkOverShear: number): ReturnMap {
  const sine = Math.sin((frictionAngle * Math.PI) / 180);
  const alpha = (Math.sqrt(2 / 3) * 2 * sine) / (3 - sine);
  return (strain) => {
    const dim = strain.length;
    const mean = meanOf(strain);
    const trace = dim * (mean - cohesion);
    if (trace >= 0) {
      strain.fill(cohesion);
      return true;
    }
    const length = deviation(strain, mean);
    const excess = length + alpha * trace * bulkOverShear;
    if (excess <= 0) return false;
    for (let k = 0; k < dim; k++) strain[k] -= (excess * (strain[k] - mean)) / length;
    return true;
  };
}

function meanOf(strain: Float64Array): number {
  return strain.length === 2 ? (strain[0] + strain[1]) / 2 : (strain[0] + strain[1] + strain[2]) / 3;
}

function deviation(strain: Float64Array, mean: number): number {
  let sum = 0;
  for (let k = 0; k < strain.length; k++) sum += (strain[k] - mean) ** 2;
  return Math.sqrt(sum);
}
