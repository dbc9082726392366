import type { Material } from "./materials.ts";
import { lame } from "./materials.ts";

/** The kernel's number of a return map, and its parameters p, q, r and s; what a map has no use for is 0. */
export type ReturnMap = readonly [kind: number, p: number, q: number, r: number, s: number];

/** For materials that do not yield. */
export const NO_RETURN: ReturnMap = [0, 0, 0, 0, 0];

/**
 * The return map of a material whose elasticity is Hencky's, for time steps of `dt` seconds (only rate-dependent materials
 * use it). It moves principal logarithmic strains ε = log σ back to what the material can bear; kernels/constitution.ts
 * does so. Equations: GIOROM spec 3.2, after NCLaw.
 */
export function returnMapOf(material: Material, dim: number, dt: number): ReturnMap {
  const { mu, lambda } = lame(material);
  switch (material.family) {
    case "granular": {
      const sine = Math.sin((material.frictionAngle * Math.PI) / 180);
      const slope = (Math.sqrt(2 / 3) * 2 * sine) / (3 - sine);
      return [1, slope, material.cohesion, (dim * lambda + 2 * mu) / (2 * mu), 0];
    }
    case "elastoplastic":
      return [2, material.yieldStress / (2 * mu), 0, 0, 0];
    case "nonNewtonian": {
      const { yieldStress, viscosity, exponent } = material;
      const stiffness = 2 * mu * dt;
      return exponent === 1
        ? [3, yieldStress, 1 / (1 + stiffness / viscosity), 2 * mu, 0]
        : [4, yieldStress, stiffness ** exponent / viscosity, 2 * mu, 1 / exponent];
    }
    default:
      return NO_RETURN;
  }
}
