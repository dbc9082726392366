import type { Sparsifier } from "../../nn/sparsifier.ts";
import type { Commit } from "../k-anneal-state.ts";

/** What is known of the weights of one layer, in the order of storage. Live arrays of the training run. */
export interface Posterior {
  readonly parameter: string;
  readonly mean: Float32Array;
  readonly sigma: Float32Array;
  /** ln(π̃/(1 − π̃)): above 0 the weight is in use. */
  readonly logOdds: Float32Array;
}

/** A method that gives weights posteriors, and cuts by them. */
export interface PosteriorSparsifier extends Sparsifier {
  /** Posteriors of the layers as they stand; undefined before training has started. */
  posteriors(): Posterior[] | undefined;
  /** Figures of the network right before and right after weights became zero; undefined before that. */
  commit(): Commit | undefined;
}
