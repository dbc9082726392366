import type { LineShape, WeightLayout } from "../lines.ts";
import type { ModuleAOptions } from "./module-a.ts";
import type { PrecisionPrior } from "./precision-prior.ts";
import type { PriorSpec } from "./priors/kinds.ts";
import type { SupportPrior } from "./priors/prior.ts";

export interface TurboVbiLayer extends WeightLayout {
  /** The structure of its support. */
  prior: PriorSpec | CustomPrior;
  /** By default the slab's variance is `slab` times the variance of the layer's weights as they are at the start. */
  precision?: PrecisionPrior;
}

/** A support prior of your own, with the probability of a weight before the first message. */
export interface CustomPrior {
  kind: "custom";
  density: number;
  create(shape: LineShape): SupportPrior;
}

export interface TurboVbiOptions extends Omit<ModuleAOptions, "prior"> {
  layers: readonly TurboVbiLayer[];
  /** Samples in the training set: the likelihood counts so often. */
  samples: number;
  /** Share of the epochs that come first, without noise; at least one must be left. Default 0: the network is trained already. */
  warmup?: number;
  /**
   * Share of the epochs with posteriors. After them the weights whose support is off are zero and stay so, while the others
   * train on without noise. With `warmup` at most 1. Default: to the end; nothing is cut, and `posteriors` say what could be.
   */
  select?: number;
  /** Epochs between two passes of messages. Default 3. */
  roundEpochs?: number;
  /** Rounds over which the weight of the prior grows to 1. Default 3. */
  annealRounds?: number;
  /** Default 2. */
  slab?: number;
  /** ln σ to start from. Default −6. */
  logSigma?: number;
  /** `frozen`: no noise at all, as in the authors' demo. Default `learned`. */
  variance?: "learned" | "frozen";
  /** `published`: see `sendMarginals`. Default `extrinsic`. */
  messages?: "extrinsic" | "published";
  /** Chains learn their parameters by expectation maximisation. Default false. */
  learnPrior?: boolean;
  seed?: number;
}
