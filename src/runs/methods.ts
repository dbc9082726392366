import type { KAnnealOptions } from "../sparsity/k-anneal.ts";

/** A way to decide which groups go, as recipes and `--method` name it. */
export interface Method {
  /** One line for people. */
  summary: string;
  options: Pick<
    KAnnealOptions,
    "penalty" | "steps" | "varianceReduction" | "ranking" | "gradual" | "lambdaStart" | "lambdaEnd"
  >;
  /** The penalty acts on the scales of batch norms alone. */
  onScales?: boolean;
  /** No way to choose groups, but what such ways are compared with: the whole network, or the small shape with fresh weights. */
  reference?: "whole" | "fresh";
}

/**
 * Ranges of λ for penalties that weigh it with norms: below, they do nothing within some ten epochs, above they kill
 * every group. The envelopes compare groups with each other, which makes their range one of αλ.
 */
const ON_GROUPS = { lambdaStart: 0.001, lambdaEnd: 0.1 };
const ON_WEIGHTS = { lambdaStart: 1e-4, lambdaEnd: 0.01 };
const ON_SCALES = { lambdaStart: 0.001, lambdaEnd: 0.1 };

export const METHODS = {
  wgsef: {
    summary: "the debiased group sparse envelope: exactly k groups, by training (default)",
    options: { penalty: "wgsef" },
  },
  "wgsef-plain": {
    summary: "the convex envelope as published; shrinks what it keeps",
    options: { penalty: "wgsef-plain" },
  },
  "wgsef-hspg": {
    summary: "the convex envelope, then half-space steps that stop at k",
    options: { penalty: "wgsef-plain", steps: "half-space" },
  },
  "group-lasso": {
    summary: "sum of group norms; knows nothing of k",
    options: { penalty: "group-lasso", ...ON_GROUPS },
  },
  "sparse-group-lasso": {
    summary: "half group lasso, half l1",
    options: { penalty: "sparse-group-lasso", ...ON_GROUPS },
  },
  l1: {
    summary: "sum of absolute weights; knows nothing of groups",
    options: { penalty: "l1", ...ON_WEIGHTS },
  },
  l0: {
    summary: "iterative hard thresholding: the k largest groups, anew after every step",
    options: { penalty: "l0" },
  },
  slimming: {
    summary: "network slimming: l1 on batch-norm scales, by which channels are then cut",
    options: { penalty: "l1", ...ON_SCALES },
    onScales: true,
  },
  hspg: {
    summary: "group lasso, then half-space steps, as in OTO",
    options: { penalty: "group-lasso", steps: "half-space", ...ON_GROUPS },
  },
  adahspg: {
    summary: "variance-reduced proximal or half-space steps, whichever have more to do, as in AdaHSPG+",
    options: { penalty: "group-lasso", steps: "adaptive", varianceReduction: true, ...ON_GROUPS },
  },
  magnitude: { summary: "cut the smallest groups once, then fine-tune", options: { penalty: "none" } },
  gradual: {
    summary: "cut the smallest groups little by little, on a cubic schedule",
    options: { penalty: "none", gradual: true },
  },
  taylor: {
    summary: "cut once by what the loss changes to first order",
    options: { penalty: "none", ranking: "taylor" },
  },
  hessian: {
    summary: "cut once by squared weights times squared gradients",
    options: { penalty: "none", ranking: "hessian" },
  },
  random: {
    summary: "cut groups at random, then fine-tune",
    options: { penalty: "none", ranking: "random" },
  },
  dense: {
    summary: "to compare with: the same training, and nothing is cut",
    options: { penalty: "none" },
    reference: "whole",
  },
  scratch: {
    summary: "to compare with: the small shape from the start, trained from fresh weights",
    options: { penalty: "none" },
    reference: "fresh",
  },
} as const satisfies Record<string, Method>;

/** Ways to decide which single weights go, by their posteriors, in one line each: `posterior` in a recipe. */
export const POSTERIOR_METHODS = {
  "turbo-vbi":
    "single weights, as many as the data do not need; by posteriors with a prior that pulls what stays into runs",
  vbi: "the same with independent weights",
  "sparse-vd": "single weights that are mostly noise, by variational dropout (Molchanov et al. 2017)",
  "bc-gnj": "neurons and channels that are mostly noise, by Bayesian compression (Louizos et al. 2017)",
  vibnet: "neurons and channels whose gates are mostly noise, by an information bottleneck (Dai et al. 2018)",
} as const;

export type MethodName = keyof typeof METHODS;
export type PosteriorMethod = keyof typeof POSTERIOR_METHODS;

export const METHOD_NAMES = Object.keys(METHODS) as readonly MethodName[];
export const POSTERIOR_METHOD_NAMES = Object.keys(POSTERIOR_METHODS) as readonly PosteriorMethod[];

export function isPosteriorMethod(name: MethodName | PosteriorMethod): name is PosteriorMethod {
  return Object.hasOwn(POSTERIOR_METHODS, name);
}

/** Whether every weight has a bit that says if it is in use, with a prior that can be chosen. */
export function hasSupport(name: PosteriorMethod): name is "turbo-vbi" | "vbi" {
  return name === "turbo-vbi" || name === "vbi";
}

/** The method under its general type. */
export function methodOf(name: MethodName): Method {
  return METHODS[name];
}
