import { strongestInputs } from "../decode.ts";
import type { PatternMemory } from "./pattern-memory.ts";

/**
 * Attention over everything stored (Ramsauer et al. 2020, arXiv 2008.02217, equation 3): softmax(β·X·cue)ᵀ·X, then the
 * inputs with the largest values. Holds every pattern: time and memory O(items).
 *
 * @param beta > 0: the larger, the closer to the nearest pattern alone.
 */
export function createModernHopfieldMemory(inputs: number, beta = 4): PatternMemory {
  const patterns: Uint32Array[] = [];
  return {
    learn: (pattern) => {
      patterns.push(Uint32Array.from(pattern));
    },
    recognize: (cue, size) => {
      const probe = new Uint8Array(inputs);
      for (let a = 0; a < cue.length; a++) probe[cue[a]] = 1;
      const shared = patterns.map((pattern) => pattern.reduce((sum, j) => sum + probe[j], 0));
      const most = shared.reduce((a, b) => Math.max(a, b), 0);
      const values = new Float64Array(inputs);
      for (const [i, pattern] of patterns.entries()) {
        const weight = Math.exp(beta * (shared[i] - most));
        for (const j of pattern) values[j] += weight;
      }
      return strongestInputs(values, size);
    },
  };
}
