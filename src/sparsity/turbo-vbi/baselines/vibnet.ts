import type { Graph } from "../../../engine/graph.ts";
import { mul, neg, reduceSum, softplus } from "../../../engine/operators/index.ts";
import type { PosteriorSparsifier } from "../posterior.ts";
import type { NoiseSelectionOptions } from "./noise-selection.ts";
import { createNoiseSelection, unitOf } from "./noise-selection.ts";

/**
 * The variational information bottleneck (Dai, Zhu, Guo and Wipf 2018): what a layer reads goes through gates N(μ, σ²), at a cost of
 * ½ ln(1 + μ²/σ²) for each. Where σ² is more than μ² the gate closes. With μ in the weights, α = σ²/μ² alone is left to train.
 * `strength` is the authors' multiplier, in units of one over the number of samples.
 */
export function createVibNet(graph: Graph, options: NoiseSelectionOptions): PosteriorSparsifier {
  return createNoiseSelection(
    graph,
    {
      name: "vibnet",
      logAlpha: -9,
      penalty: ({ logAlpha }) => mul(reduceSum(softplus(neg(logAlpha!))), 0.5),
      margin: ({ layout, weights, logAlpha }) => {
        const unit = unitOf(layout);
        return weights.map((_, i) => -logAlpha![unit(i)]);
      },
    },
    options,
  );
}
