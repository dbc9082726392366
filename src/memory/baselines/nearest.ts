import { createBitMatrix, popcount, setBit } from "../bit-matrix.ts";
import type { PatternMemory } from "./pattern-memory.ts";

/** Keeps every pattern as packed bits and compares a cue with all of them: no errors, time and memory O(items). */
export interface NearestMemory extends PatternMemory {
  readonly items: number;
  /** The number of the stored pattern that shares most with the cue by Jaccard's measure; the first of equals, −1 of none. */
  nearest(cue: ArrayLike<number>): number;
}

export function createNearestMemory(inputs: number): NearestMemory {
  const patterns: Uint32Array[] = [];
  let packed = createBitMatrix(64, inputs);
  const nearest = (cue: ArrayLike<number>) => {
    const probe = createBitMatrix(1, inputs);
    for (let a = 0; a < cue.length; a++) setBit(probe, 0, cue[a]);
    const { stride, words } = packed;
    let best = -1;
    let most = -1;
    for (let i = 0; i < patterns.length; i++) {
      let shared = 0;
      for (let w = 0; w < stride; w++) shared += popcount(words[i * stride + w] & probe.words[w]);
      const jaccard = shared / (cue.length + patterns[i].length - shared);
      if (jaccard > most) [best, most] = [i, jaccard];
    }
    return best;
  };
  return {
    get items() {
      return patterns.length;
    },
    nearest,
    learn: (pattern) => {
      if (patterns.length === packed.rows) {
        const larger = createBitMatrix(2 * packed.rows, inputs);
        larger.words.set(packed.words);
        packed = larger;
      }
      for (let a = 0; a < pattern.length; a++) setBit(packed, patterns.length, pattern[a]);
      patterns.push(Uint32Array.from(pattern).sort());
    },
    recognize: (cue) => Array.from(patterns[nearest(cue)] ?? []),
  };
}
