import type { OptimizerSpec } from "../nn/optimizers.ts";
import { Problem } from "../problem.ts";
import type { AdaptiveMetricName } from "./adaptive-metric.ts";
import type { Allowance } from "./allowance.ts";
import type { GroupPenalty } from "./group-prox.ts";
import type { GroupPartition } from "./groups.ts";
import type { GroupRanking } from "./ranking.ts";

/** A layer whose groups compete, or several at once: exactly `keep` of them are to survive, or as many as are allowed. */
export interface GroupedLayer {
  name: string;
  partition: GroupPartition;
  keep: number | Allowance;
  /** The part of each group that the penalty acts on and that groups live and are ranked by; all of it by default. */
  gates?: GroupPartition;
}

export interface KAnnealOptions {
  layers: readonly GroupedLayer[];
  /** Default `wgsef`, the debiased envelope. */
  penalty?: GroupPenalty;
  /** Shares of the epochs for warm-up and selection; the rest polishes. Default .15 and .5. */
  warmup?: number;
  select?: number;
  /** Regularisation at the start and the end of selection, growing geometrically. Default .01 and 3. */
  lambdaStart?: number;
  lambdaEnd?: number;
  /**
   * The literal reading of the paper instead of all that: this λ from warm-up on, and nothing is frozen or cut. Training
   * ends early when every layer has kept its number for five epochs and the loss has come to rest.
   */
  fixedLambda?: number;
  /** Weight decay of the groups, throughout. Default 5e-4. */
  weightDecay?: number;
  /**
   * Steps of selection: proximal ones (default); `half-space` (HSPG): proximal in its first half, half-space steps from
   * then on; `adaptive` (AdaHSPG+): each epoch takes the kind that has more to do, along variance-reduced gradients.
   */
  steps?: "proximal" | "half-space" | "adaptive";
  /** Steps along variance-reduced gradients (SVRG), at twice the cost. */
  varianceReduction?: boolean;
  /** What decides which groups stay where some have to be cut. Default `norm`. */
  ranking?: GroupRanking;
  /** Cut after every epoch of selection, by the cubic schedule of Zhu and Gupta (2017), instead of once at its end. */
  gradual?: boolean;
  /** Of the random ranking. */
  seed?: number;
  /** In which metric proximal steps follow those of Adam. Default `block`. */
  metric?: AdaptiveMetricName;
}

/** Throws a `Problem` where no proximal step belongs to the steps of an optimiser. */
export function requireProximal(
  { kind, ...spec }: OptimizerSpec,
  { penalty = "wgsef", steps = "proximal" }: Pick<KAnnealOptions, "penalty" | "steps">,
): void {
  const known = `the penalty "${penalty}" has an exact proximal step for sgd, adam and adamw`;
  if (kind === "adamax") throw new Problem(`${known}, not for adamax`);
  if (kind === "rmsprop") {
    const { alpha = 0.99 } = spec as { alpha?: number };
    throw new Problem(
      `${known}, not for rmsprop; adam with betas: [0, ${alpha}] is rmsprop with its bias corrected`,
    );
  }
  if (kind !== "sgd" && steps !== "proximal")
    throw new Problem(
      "half-space steps need plain SGD, not Adam: --optimizer sgd, in a recipe optimizer: sgd; or use wgsef, wgsef-plain or group-lasso",
    );
}
