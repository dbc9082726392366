import type { Call } from "../kernels/team.ts";
import type { Material } from "./materials.ts";
import { lame } from "./materials.ts";
import type { Particles } from "./particles.ts";
import { NO_RETURN, returnMapOf } from "./plasticity.ts";

/** Particles `start` ≤ i < `end`. */
export interface Range {
  start: number;
  end: number;
}

/**
 * The kernel call that applies the material's return map and then computes the Kirchhoff stress of every particle in a
 * range, in this order: a step's stress is computed at the end of the step before, so that one singular value
 * decomposition serves both.
 *
 * Stress (GIOROM spec 3.2): fixed corotated 2μ(F−R)Fᵀ + λJ(J−1)I for the elastic family, λJ(J−1)I + 2ηJ sym(C) for
 * Newtonian fluids, Hencky's U diag(2με + λ tr ε)Uᵀ for the others. With `flow: false` F stays as it is.
 */
export function constitutionCall(
  material: Material,
  { dim, f, c, stress }: Particles,
  { start, end }: Range,
  { dt, flow }: { dt: number; flow: boolean },
): NonNullable<Call> {
  const { mu, lambda } = lame(material);
  if (material.family === "elastic")
    return [`elastic${dim}`, [f.byteOffset, stress.byteOffset, start, end, mu, lambda]];
  if (material.family === "newtonian")
    return [
      `newtonian${dim}`,
      [f.byteOffset, c.byteOffset, stress.byteOffset, start, end, lambda, material.viscosity, flow],
    ];
  const map = flow ? returnMapOf(material, dim, dt) : NO_RETURN;
  return [`hencky${dim}`, [f.byteOffset, stress.byteOffset, start, end, mu, lambda, ...map]];
}
