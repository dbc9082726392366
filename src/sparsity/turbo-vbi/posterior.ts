/** What Turbo-VBI knows of the weights of one layer, in the order of storage. Live arrays of the training run. */
export interface Posterior {
  readonly parameter: string;
  readonly mean: Float32Array;
  readonly sigma: Float32Array;
  /** ln(π̃/(1 − π̃)): above 0 the weight is in use. */
  readonly logOdds: Float32Array;
}
