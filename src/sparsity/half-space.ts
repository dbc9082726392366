import type { Arrays, GroupPartition } from "./groups.ts";
import { arrayOf, forEachRun, zeroGroups } from "./groups.ts";

export interface HalfSpaceStep {
  /** The weights before the step, θ. */
  before: Arrays;
  /** Gradient of the penalty: of group j it is `pull[j]`·θ_j. */
  pull: Float64Array;
  /** The optimiser's current step size. */
  alpha: number;
  /** From 0, which asks for a change of sides, to below 1, which asks for a decrease by the factor ε. */
  epsilon: number;
  /** How many groups may become zero in this step; those that turned furthest go first. */
  atMost: number;
  /** Groups that the step moves, 1 or 0 each; all by default. The others stay where they were before. */
  only?: Uint8Array;
}

/**
 * The half-space step of HSPG (Chen et al. 2021; wgsef.md 3.8), in place: with θ̂_j = θ_j − α(∇_j loss + ∇_j penalty), group
 * j becomes zero where ⟨θ̂_j, θ_j⟩ < ε‖θ_j‖², that is, where the step leaves the half-space around where the group
 * points. Groups that were zero stay zero.
 *
 * @param arrays the weights after the optimiser's step along the gradient of the loss alone.
 * @returns which groups live: m times 1 or 0.
 */
export function halfSpaceStep(
  partition: GroupPartition,
  arrays: Arrays,
  { before, pull, alpha, epsilon, atMost, only }: HalfSpaceStep,
): Uint8Array {
  const m = partition.groups;
  const dots = new Float64Array(m);
  const squares = new Float64Array(m);
  for (const part of partition.parts) {
    const w = arrayOf(part, arrays);
    const old = arrayOf(part, before);
    forEachRun(part, m, (j, from, to) => {
      if (only && !only[j]) w.set(old.subarray(from, to), from);
      const move = only && !only[j] ? 0 : alpha * pull[j];
      for (let i = from; i < to; i++) {
        w[i] -= move * old[i];
        dots[j] += w[i] * old[i];
        squares[j] += old[i] * old[i];
      }
    });
  }
  const keep = Uint8Array.from(squares, (s) => Number(s > 0));
  const kept = (j: number) => dots[j] / squares[j];
  const turned = [...squares.keys()].filter((j) => keep[j] === 1 && kept(j) < epsilon);
  turned.sort((a, b) => kept(a) - kept(b));
  for (const j of turned.slice(0, Math.max(0, atMost))) keep[j] = 0;
  zeroGroups(partition, arrays, keep);
  return keep;
}
