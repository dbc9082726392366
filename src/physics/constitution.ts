import { constitution2 } from "./constitution2.ts";
import { constitution3 } from "./constitution3.ts";
import type { Material } from "./materials.ts";
import { lame } from "./materials.ts";
import type { Dim, Particles } from "./particles.ts";
import type { ReturnMap } from "./plasticity.ts";
import { returnMapOf } from "./plasticity.ts";

/**
 * Singular values are raised to this before their logarithm is taken: a violent impact can turn a particle inside out.
 */
export const SMALLEST_STRETCH = 0.05;

/** What the inner loops need of a material. */
export interface Law {
  family: Material["family"];
  mu: number;
  lambda: number;
  /** Pa·s; of Newtonian fluids. */
  viscosity: number;
  /** Whether anything may flow. */
  flow: boolean;
  returnMap: ReturnMap;
}

/** For particles `start` ≤ i < `end`: F becomes what the material can bear, then the stress is that of F. */
export type Constitution = (particles: Particles, start: number, end: number) => void;

/**
 * The material's return map and Kirchhoff stress for every particle, in this order: a step's stress is computed at the
 * end of the step before, so that one singular value decomposition serves both.
 *
 * Stress (GIOROM spec 3.2): fixed corotated 2μ(F−R)Fᵀ + λJ(J−1)I for the elastic family, λJ(J−1)I + 2ηJ sym(C) for
 * Newtonian fluids, Hencky's U diag(2με + λ tr ε)Uᵀ for the others. With `flow: false` F stays as it is.
 */
export function constitutionOf(
  material: Material,
  dim: Dim,
  dt: number,
  { flow = true }: { flow?: boolean } = {},
): Constitution {
  const law: Law = {
    family: material.family,
    ...lame(material),
    viscosity: material.family === "newtonian" ? material.viscosity : 0,
    flow,
    returnMap: flow ? returnMapOf(material, dim, dt) : () => false,
  };
  const update = dim === 2 ? constitution2 : constitution3;
  return (particles, start, end) => update(law, particles, start, end);
}
