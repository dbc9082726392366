import { strongestInputs } from "../decode.ts";
import type { PatternMemory } from "./pattern-memory.ts";

export interface HopfieldOptions {
  /** f: expected share of active inputs, in (0, 1). */
  activity: number;
  /** Updates of all inputs at once, unless they settle before. Default 20. */
  steps?: number;
}

/**
 * A Hopfield net for sparse patterns with the covariance rule (Tsodyks & Feigelman 1988): W = Σ (x − f)(x − f)ᵀ without
 * its diagonal; the `size` inputs with the largest W·state become the next state.
 *
 * W is kept as counts: W_ij = n_ij − f(n_i + n_j) + n·f², where n_ij patterns have both inputs, so that storing costs
 * the square of a pattern's size, not of the number of inputs.
 */
export function createHopfieldMemory(
  inputs: number,
  { activity, steps = 20 }: HopfieldOptions,
): PatternMemory {
  const together = new Uint32Array(inputs * inputs);
  let items = 0;
  const update = (state: readonly number[], size: number) => {
    const field = new Float64Array(inputs);
    for (const j of state)
      for (let i = 0; i < inputs; i++)
        if (i !== j)
          field[i] +=
            together[j * inputs + i] -
            activity * (together[i * inputs + i] + together[j * inputs + j]) +
            items * activity * activity;
    return strongestInputs(field, size);
  };
  return {
    learn: (pattern) => {
      items++;
      for (let a = 0; a < pattern.length; a++)
        for (let b = 0; b < pattern.length; b++) together[pattern[a] * inputs + pattern[b]]++;
    },
    recognize: (cue, size) => {
      let state = Array.from(cue);
      for (let step = 0; step < steps; step++) {
        const next = update(state, size);
        if (next.join() === state.join()) break;
        state = next;
      }
      return state;
    },
  };
}
