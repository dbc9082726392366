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
 * Sparse distributed memory (Kanerva 1988): hard locations with random addresses, half of whose bits are set, hold a
 * counter for each input. Writing adds 1 for each active input and −1 for each other to the counters of the nearest
 * locations, reading adds the counters up; the inputs with the largest sums are the answer.
 */
export function createSparseDistributedMemory(
  inputs: number,
  { locations, reached = Math.max(1, Math.round(locations / 20)), seed = 0 }: SparseDistributedOptions,
): PatternMemory {
  const rng = random(seed);
  const addresses = Uint8Array.from({ length: locations * inputs }, () => rng.integer(2));
  const counters = new Int32Array(locations * inputs);
  const ones = Array.from({ length: locations }, (_, l) =>
    addresses.subarray(l * inputs, (l + 1) * inputs).reduce((sum, bit) => sum + bit, 0),
  );
  /** The nearest by Hamming distance, which is |address| + |cue| − 2·shared. */
  const near = (cue: ArrayLike<number>) =>
    strongestInputs(
      Float64Array.from(ones, (count, l) => {
        let shared = 0;
        for (let a = 0; a < cue.length; a++) shared += addresses[l * inputs + cue[a]];
        return 2 * shared - count;
      }),
      reached,
    );
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
