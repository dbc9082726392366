import type { Graph } from "../../../engine/graph.ts";
import { add, log, mul, reduceSum, sub } from "../../../engine/operators/index.ts";
import type { PosteriorSparsifier } from "../posterior.ts";
import { logUniformPenalty } from "./log-uniform.ts";
import type { NoiseSelectionOptions } from "./noise-selection.ts";
import { createNoiseSelection } from "./noise-selection.ts";

/** Weights with more noise than this, as ln α, are zero: α = 20 is dropout with a rate of 95 %. */
const THRESHOLD = 3;
/** Keeps ln α finite where a weight is 0. */
const FLOOR = 1e-8;

/**
 * Sparse variational dropout (Molchanov, Ashukha and Vetrov 2017): every weight has Gaussian noise of its own, α = σ²/θ², under a
 * log-uniform prior. Where noise costs nothing α grows without bound, and the weight goes.
 */
export function createSparseVd(graph: Graph, options: NoiseSelectionOptions): PosteriorSparsifier {
  return createNoiseSelection(
    graph,
    {
      name: "sparse-vd",
      logSigma: -5,
      penalty: ({ weights, logSigma }) => {
        const logSquare = log(add(mul(weights, weights), FLOOR));
        return reduceSum(logUniformPenalty(sub(mul(logSigma!, 2), logSquare)));
      },
      margin: ({ weights, logSigma }) =>
        weights.map((w, i) => THRESHOLD - 2 * logSigma![i] + Math.log(w * w + FLOOR)),
    },
    options,
  );
}
