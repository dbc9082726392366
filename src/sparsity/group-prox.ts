import { Problem } from "../problem.ts";
import type { GroupPartition } from "./groups.ts";
import { groupSizes } from "./groups.ts";
import { debiasedProxFactors } from "./wgsef/debiased.ts";
import { proxFactors, proxWorkspace } from "./wgsef/prox.ts";

/** One proximal step on the groups of a layer. */
export interface GroupProxStep {
  /** Euclidean norm of each group. */
  norms: Float64Array;
  /** Groups that may stay; with costs, what they may cost together. */
  k: number;
  /** Costs and metric weights of the groups; 1 by default. */
  c?: Float64Array;
  d?: Float64Array;
  /** Regularisation strength. */
  lambda: number;
  /** Step size of the optimiser's step just taken. */
  alpha: number;
  /** Weight decay that remains on kept groups. */
  mu: number;
  /** Block metric of an adaptive optimiser; 1 by default. */
  h?: Float64Array;
}

/** Gives the factor that multiplies each group; 0 removes it. The result is overwritten by the next call. */
export type GroupProx = (step: GroupProxStep) => Float64Array;

/** What the controller can push groups towards zero with. */
export const GROUP_PENALTIES = ["wgsef", "wgsef-plain", "group-lasso", "none"] as const;
export type GroupPenalty = (typeof GROUP_PENALTIES)[number];

/**
 * - `wgsef`: the debiased envelope (wgsef.md 3.5): kept groups feel weight decay μ alone;
 * - `wgsef-plain`: the convex envelope as published: kept groups shrink with λ;
 * - `group-lasso`: λ√|s_j|·‖θ_j‖, which knows nothing of k, and weight decay μ;
 * - `none`: weight decay μ alone, so that the cut at the end of selection is magnitude pruning.
 */
export function createGroupProx(penalty: GroupPenalty, partition: GroupPartition): GroupProx {
  const m = partition.groups;
  const ws = proxWorkspace(m);
  const ridge = (alpha: number, mu: number, h: number) => h / (h + alpha * mu);
  switch (penalty) {
    case "wgsef":
      return (step) => debiasedProxFactors(step, ws).factors;
    case "wgsef-plain":
      return (step) => proxFactors(step, ws).factors;
    case "group-lasso": {
      const scale = groupSizes(partition).map(Math.sqrt);
      return ({ norms, lambda, alpha, mu, h }) => {
        for (let j = 0; j < m; j++) {
          const hj = h ? h[j] : 1;
          const threshold = (alpha * lambda * scale[j]) / hj;
          ws.factors[j] = norms[j] <= threshold ? 0 : (1 - threshold / norms[j]) * ridge(alpha, mu, hj);
        }
        return ws.factors;
      };
    }
    case "none":
      return ({ alpha, mu, h }) => {
        for (let j = 0; j < m; j++) ws.factors[j] = ridge(alpha, mu, h ? h[j] : 1);
        return ws.factors;
      };
    default:
      throw new Problem(`unknown group penalty "${penalty as string}"; known: ${GROUP_PENALTIES.join(", ")}`);
  }
}
