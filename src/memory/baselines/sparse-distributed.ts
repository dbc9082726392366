import { random } from "../../random.ts";
import { strongestInputs } from "../decode.ts";
import type { PatternMemory } from "./pattern-memory.ts";

export interface SparseDistributedOptions {
  /** Hard locations. */
  locations: number;
  /** Locations that one address reaches: the nearest to it. Default a twentieth of them, at least 1. */
  reached?: number;
  /** Default 0. */
  seed?: number;
}

/**
 * Sparse distributed memory (Kanerva 1988): hard locations with random addresses, each with half of its bits set, hold a
 * counter for each input. Writing adds 1 for each active input and −1 for each other to the counters of the nearest
 * locations, reading adds the counters up; the inputs with the largest sums are the answer.
 */
export function createSparseDistributedMemory(
  inputs: number,
  { locations, reached = Math.max(1, Math.round(locations / 20)), seed = 0 }: SparseDistributedOptions,
): PatternMemory {
  const rng = random(seed);
  const addresses = new Uint8Array(locations * inputs);
  for (let l = 0; l < locations; l++)
    for (const j of rng.permutation(inputs).subarray(0, inputs >> 1)) addresses[l * inputs + j] = 1;
  const counters = new Int32Array(locations * inputs);
  /** The nearest by Hamming distance are those that share most bits, because addresses have equally many. */
  const near = (cue: ArrayLike<number>) => {
    const shared = new Float64Array(locations);
    for (let l = 0; l < locations; l++)
      for (let a = 0; a < cue.length; a++) shared[l] += addresses[l * inputs + cue[a]];
    return strongestInputs(shared, reached);
  };
  return {
    learn: (pattern) => {
      for (const l of near(pattern)) {
        for (let j = 0; j < inputs; j++) counters[l * inputs + j]--;
        for (let a = 0; a < pattern.length; a++) counters[l * inputs + pattern[a]] += 2;
      }
    },
    recognize: (cue, size) => {
      const sums = new Float64Array(inputs);
      for (const l of near(cue)) for (let j = 0; j < inputs; j++) sums[j] += counters[l * inputs + j];
      return strongestInputs(sums, size);
    },
  };
}
