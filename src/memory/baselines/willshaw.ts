import { addRowSums, createBitMatrix, setBit } from "../bit-matrix.ts";
import { strongestInputs } from "../decode.ts";
import type { PatternMemory } from "./pattern-memory.ts";

/** Willshaw, Buneman & Longuet-Higgins 1969: W = OR of x·xᵀ; the inputs with the largest sums W·cue. */
export function createWillshawMemory(inputs: number): PatternMemory {
  const weights = createBitMatrix(inputs, inputs);
  return {
    learn: (pattern) => {
      for (let a = 0; a < pattern.length; a++)
        for (let b = 0; b < pattern.length; b++) setBit(weights, pattern[a], pattern[b]);
    },
    recognize: (cue, size) => {
      const sums = new Float64Array(32 * weights.stride);
      addRowSums(weights, cue, sums);
      return strongestInputs(sums.subarray(0, inputs), size);
    },
  };
}
