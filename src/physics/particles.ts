import type { Material } from "./materials.ts";

export type Dim = 2 | 3;

/** A run of particles of one material: `start` ≤ i < `end`. */
export interface Body {
  material: Material;
  start: number;
  end: number;
  /** Of one particle at rest, in m³ (m² in 2D). */
  volume: number;
}

/** The state of the material points, one after the other in each array; matrices are row-major. */
export interface Particles {
  readonly dim: Dim;
  readonly count: number;
  /** Positions, [count, dim]. */
  readonly x: Float64Array;
  /** Velocities in m/s, [count, dim]. */
  readonly v: Float64Array;
  /** APIC's affine velocities in 1/s, [count, dim, dim]. */
  readonly c: Float64Array;
  /** Deformation gradients, [count, dim, dim]. */
  readonly f: Float64Array;
  /** Kirchhoff stresses in Pa that belong to `f`, [count, dim, dim]. */
  readonly stress: Float64Array;
}
