import { readFileSync } from "node:fs";
import { createArena } from "../../src/kernels/arena.ts";
import { constitutionWasm } from "../../src/kernels/constitution.wasm.ts";
import { instantiate } from "../../src/kernels/instantiate.ts";
import { constitutionCall } from "../../src/physics/constitution.ts";
import type { Material } from "../../src/physics/materials.ts";
import type { Dim, Particles } from "../../src/physics/particles.ts";
import { returnMapOf } from "../../src/physics/plasticity.ts";
import { createWorkspace } from "../../src/physics/workspace.ts";

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

/** F after the return map and its stress, for one particle. */
export function respond(material: Material, f: ArrayLike<number>, options: { dt: number; flow: boolean }) {
  const { particles, perform } = createWorkspace(f.length === 4 ? 2 : 3, 1, 1);
  particles.f.set(f);
  perform(constitutionCall(material, particles, { start: 0, end: 1 }, options));
  return { f: particles.f.slice(), stress: particles.stress.slice() };
}

/** A grid's nodes after the particles at `x` have added to it and nothing else has happened. */
export function scatterOnly(
  dim: Dim,
  cells: number,
  x: ArrayLike<number>,
  { mass, velocities }: { mass: number; velocities?: ArrayLike<number> },
): Float64Array {
  const { particles, nodes, rows, perform } = createWorkspace(dim, cells, x.length / dim);
  particles.x.set(x);
  if (velocities) particles.v.set(velocities);
  const [pn, pr, px, pv, pc, ps] = [
    nodes,
    rows[0],
    particles.x,
    particles.v,
    particles.c,
    particles.stress,
  ].map((array) => array.byteOffset);
  perform(["divideRows", [pr, px, dim, particles.count, cells, 0, 1]]);
  perform([`scatter${dim}`, [pn, cells, pr, px, pv, pc, ps, 0, particles.count, mass, 1, 1e-3]]);
  return nodes;
}

const arena = createArena(1000);
const input = arena.float64(18);
const output = arena.float64(42);
const kernels = instantiate<{
  singularValues2(f: number, out: number): void;
  singularValues3(pair: number, out: number): void;
  yieldStrains(dim: number, strains: number, ...map: number[]): number;
}>(constitutionWasm, arena.memory);

interface Decomposition {
  u: Float64Array;
  s: Float64Array;
  vt: Float64Array;
}

/** Rotations U, Vᵀ and σ with F = U diag(σ) Vᵀ. */
export function decompose(f: ArrayLike<number>): Decomposition {
  if (f.length === 4) {
    input.set(f);
    kernels.singularValues2(input.byteOffset, output.byteOffset);
    const [cu, su, s1, s2, cv, sv] = output;
    return {
      u: Float64Array.of(cu, -su, su, cu),
      s: Float64Array.of(s1, s2),
      vt: Float64Array.of(cv, -sv, sv, cv),
    };
  }
  return decomposePair(f, f)[0];
}

/** The same of two 3×3 matrices at a time. */
export function decomposePair(f: ArrayLike<number>, g: ArrayLike<number>): [Decomposition, Decomposition] {
  input.set(f);
  input.set(g, 9);
  kernels.singularValues3(input.byteOffset, output.byteOffset);
  const at = (i: number) => ({
    u: output.slice(i, i + 9),
    s: output.slice(i + 9, i + 12),
    vt: output.slice(i + 12, i + 21),
  });
  return [at(0), at(21)];
}

/** The return map of strains, in place; whether it changed them. */
export function yieldStrains(material: Material, strains: Float64Array, dt: number): boolean {
  input.set(strains);
  const map = returnMapOf(material, strains.length, dt);
  const changed = kernels.yieldStrains(strains.length, input.byteOffset, ...map);
  strains.set(input.subarray(0, strains.length));
  return changed !== 0;
}
