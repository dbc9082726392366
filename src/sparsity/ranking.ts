import { Problem } from "../problem.ts";
import { random } from "../random.ts";
import type { Arrays, GroupPartition } from "./groups.ts";
import { arrayOf, forEachRun } from "./groups.ts";

/** What decides which groups stay where some have to be cut. */
export const GROUP_RANKINGS = ["norm", "random", "taylor", "hessian"] as const;
export type GroupRanking = (typeof GROUP_RANKINGS)[number];

export interface RankedGroups {
  /** Sees the weights with the gradient of a batch; absent where the ranking needs no gradients. */
  observe?(weights: Arrays, gradients: Arrays): void;
  /** How much each group is worth, above 0 wherever its norm is, m numbers. */
  scores(norms: Float64Array): Float64Array;
  /** What was observed, as JSON. */
  state(): number[];
  restore(state: readonly number[]): void;
}

/**
 * - `norm`: the Euclidean norm of the group's weights;
 * - `random`: drawn from the seed;
 * - `taylor`: Σ|w·∂L/∂w| (Molchanov et al. 2017), what the loss changes to first order as each weight goes;
 * - `hessian`: Σ w²·E[(∂L/∂w)²], with squared gradients in the place of the Hessian's diagonal (LeCun et al. 1989).
 *
 * The last two are summed as in Torch-Pruning, over the group's own weights, biases and batch norms, and over the batches
 * that were observed. There the gradients that are squared are of single samples, here of batches.
 */
export function createRanking(kind: GroupRanking, partition: GroupPartition, seed = 0): RankedGroups {
  switch (kind) {
    case "norm":
      return { scores: (norms) => norms, state: () => [], restore: () => {} };
    case "random": {
      const drawn = random(seed).permutation(partition.groups);
      return {
        scores: (norms) => norms.map((norm, j) => (norm === 0 ? 0 : 1 + drawn[j])),
        state: () => [],
        restore: () => {},
      };
    }
    case "taylor":
      return bySaliency(partition, Math.abs);
    case "hessian":
      return bySaliency(partition, (product) => product ** 2);
    default:
      throw new Problem(`unknown ranking "${kind as string}"; known: ${GROUP_RANKINGS.join(", ")}`);
  }
}

/** Sums of a function of w·∂L/∂w over each group's weights. */
function bySaliency(partition: GroupPartition, saliency: (product: number) => number): RankedGroups {
  const sums = new Float64Array(partition.groups);
  return {
    observe: (weights, gradients) => {
      for (const part of partition.parts) {
        const w = arrayOf(part, weights);
        const g = arrayOf(part, gradients);
        forEachRun(part, partition.groups, (j, from, to) => {
          for (let i = from; i < to; i++) sums[j] += saliency(w[i] * g[i]);
        });
      }
    },
    // A living group whose gradient was always zero is worth next to nothing, but is not dead.
    scores: (norms) => norms.map((norm, j) => (norm === 0 ? 0 : Math.max(sums[j], Number.MIN_VALUE))),
    state: () => [...sums],
    restore: (state) => sums.set(state),
  };
}
