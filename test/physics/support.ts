import { readFileSync } from "node:fs";
import type { Dim, Particles } from "../../src/physics/particles.ts";

type Matrix = number[][];

interface StateVectors {
  x: Matrix;
  v: Matrix;
  C?: Matrix[];
  F: Matrix[];
  x20?: Matrix;
  v20?: Matrix;
  F20?: Matrix[];
}

interface SmallCase {
  n_grid: number;
  dt: number;
  gravity: number[];
  bound: number;
  vol_each: number;
  x0: Matrix;
  v0: Matrix;
  C0: Matrix[];
  F0: Matrix[];
  after: Record<string, StateVectors>;
}

/** The oracles of the GIOROM spec, computed in float64 by two independent implementations. */
export const vectors = JSON.parse(
  readFileSync(new URL("../vectors/giorom.json", import.meta.url), "utf8"),
) as {
  bspline: { x_over_dx: number[]; base_w0_w1_w2: number[][] };
  stress: Record<string, Matrix> & { E_nu: Record<string, [number, number]> };
  svd: { F2: Record<string, Matrix>; F3: Record<string, Matrix>; refl2: { F: Matrix; s: number[] } };
  return_map: Record<string, { F: Matrix; F_new: Matrix; detF_new: number }>;
  mpm2d_small: SmallCase;
  mpm3d_small: SmallCase;
  mpm2d_block_400: { particles: number[]; pos: Record<string, Matrix> };
  fps_graph: {
    points: Matrix;
    fps6_start0: number[];
    radius: number;
    edges_recv_send_with_self: [number, number][];
    degree: number[];
    coverage_radius: number;
  };
};

export const flat = (nested: unknown): number[] => (nested as number[]).flat(3) as unknown as number[];

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  // A NaN must not pass as small.
  for (let i = 0; i < a.length; i++) worst = Math.abs(a[i] - b[i]) <= worst ? worst : Math.abs(a[i] - b[i]);
  return worst;
}

/** A block of particles in rows along the last axis, the first half a spacing inside the lower corner. */
export function block(dim: Dim, centre: number[], size: number[], spacing: number): Float64Array {
  const counts = size.map((s) => Math.round(s / spacing));
  const out: number[] = [];
  const visit = (at: number[]) => {
    if (at.length === dim) out.push(...at);
    else {
      const k = at.length;
      for (let i = 0; i < counts[k]; i++) visit([...at, centre[k] - size[k] / 2 + (i + 0.5) * spacing]);
    }
  };
  visit([]);
  return Float64Array.from(out);
}

/** The same velocity for `count` particles. */
export function uniform(count: number, velocity: readonly number[]): Float64Array {
  return Float64Array.from({ length: count * velocity.length }, (_, i) => velocity[i % velocity.length]);
}

export function extent({ x, dim }: Particles, axis: number): { low: number; high: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = axis; i < x.length; i += dim) {
    low = Math.min(low, x[i]);
    high = Math.max(high, x[i]);
  }
  return { low, high };
}
