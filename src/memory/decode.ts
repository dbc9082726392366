import type { Network } from "./network.ts";

/**
 * What a code says about the inputs (`specs/sparsey.md` 3.8): for each input the share of active cells that it is
 * connected with, v_j = (1/Q) Σ_{i∈φ} U_ji, mean over the active macs that see it. The downward weights to the inputs
 * are the upward ones, because both learn from the same events.
 */
export function decodeVotes({ levels, options, offsets }: Network, code: Int32Array): Float64Array {
  const votes = new Float64Array(options.inputs);
  const voters = new Uint32Array(options.inputs);
  const { macs, fields } = levels[0];
  for (const [m, { q, k, up }] of macs.entries()) {
    const winners = code.subarray(offsets[m], offsets[m] + q);
    if (winners[0] < 0) continue;
    for (const [unit, input] of fields[m].entries()) {
      let sum = 0;
      for (let module = 0; module < q; module++) sum += up.weight(unit, module * k + winners[module]);
      votes[input] += sum / q;
      voters[input]++;
    }
  }
  for (let j = 0; j < votes.length; j++) if (voters[j] > 1) votes[j] /= voters[j];
  return votes;
}

/** The inputs with at least `threshold` of the votes. */
export function inputsFrom(votes: Float64Array, threshold: number): number[] {
  // Means of a few shares may miss 1 by rounding.
  return Array.from(votes.keys()).filter((j) => votes[j] >= threshold - 1e-9);
}

/** The `size` inputs with the most votes, in rising order; the first of equals. */
export function strongestInputs(votes: Float64Array, size: number): number[] {
  return Array.from(votes.keys())
    .sort((a, b) => votes[b] - votes[a] || a - b)
    .slice(0, size)
    .sort((a, b) => a - b);
}
