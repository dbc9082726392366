import type { Graph, Value } from "../../../engine/graph.ts";
import { add, exp, log, mul, reduceMean, reduceSum, sub } from "../../../engine/operators/index.ts";
import type { PosteriorSparsifier } from "../posterior.ts";
import { logUniformPenalty } from "./log-uniform.ts";
import type { NoiseSelectionOptions, ReadLayout } from "./noise-selection.ts";
import { createNoiseSelection, unitOf, weightsPerUnit } from "./noise-selection.ts";

export interface BcGnjOptions extends NoiseSelectionOptions {
  /** Features and channels whose scale has more noise than this, as ln α, go. Default −3; the authors choose by layer. */
  threshold?: number;
}

/**
 * Bayesian compression with group normal-Jeffreys priors (Louizos, Ullrich and Welling 2017). Everything that a layer reads has
 * a scale z with q(z) = N(μ, αμ²) under a log-uniform prior; given z, weights are N(zm, z²s²) under N(0, z²).
 *
 * Trained are the products, w = μm and σ = μs, so that the network is itself at every moment. Given them the divergence is
 * smallest at μ² = the mean of w² + σ² over what a scale reaches, where it is ½ Σ ln μ² − ln σ²: that μ is put in.
 */
export function createBcGnj(graph: Graph, { threshold = -3, ...options }: BcGnjOptions): PosteriorSparsifier {
  return createNoiseSelection(
    graph,
    {
      name: "bc-gnj",
      logSigma: -4.5,
      logAlpha: -9,
      penalty: ({ layout, weights, logSigma, logAlpha }) => {
        const reach = reachOf(layout, weights);
        const scales = reduceMean(add(mul(weights, weights), exp(mul(logSigma!, 2))), reach);
        const ofWeights = sub(mul(reduceSum(log(scales)), weightsPerUnit(layout) / 2), reduceSum(logSigma!));
        return add(reduceSum(logUniformPenalty(logAlpha!)), ofWeights);
      },
      margin: ({ layout, weights, logAlpha }) => {
        const unit = unitOf(layout);
        return weights.map((_, i) => threshold - logAlpha![unit(i)]);
      },
    },
    options,
  );
}

/** The axes of the weights over which one scale reaches: all but that of what the layer reads. */
function reachOf({ transposed }: ReadLayout, { shape }: Value): number[] {
  const read = transposed ? 0 : 1;
  return [...shape.keys()].filter((axis) => axis !== read);
}
