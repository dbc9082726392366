import type { Arena } from "../../kernels/arena.ts";
import { instantiate } from "../../kernels/instantiate.ts";
import { uniformProxWasm } from "../../kernels/uniformProx.wasm.ts";

/** The functions of kernels/uniformProx.ts. */
export interface UniformKernels {
  findRoot(
    slopes: number,
    single: boolean,
    rho: number,
    groups: number,
    budget: number,
    room: number,
    sample: number,
  ): number;
  visited(): number;
  shrinkWeights(w: number, groups: number, omega: number, longer: number): void;
}

export function uniformKernels(arena: Arena): UniformKernels {
  return instantiate<UniformKernels>(uniformProxWasm, arena.memory);
}

/** From so many groups on a sample pays for itself. */
const SAMPLED_FROM = 512;

/** How many of m groups are solved first, to begin near the root. */
export function sampleSize(m: number): number {
  return m < SAMPLED_FROM ? 0 : Math.ceil(m ** (2 / 3));
}

/** How many slopes the search with such a sample needs room for. */
export function searchRoom(sample: number): number {
  return sample && 8 * sample + 1028;
}
