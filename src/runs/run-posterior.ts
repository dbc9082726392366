import type { Graph } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import type { WeightLayout } from "../sparsity/lines.ts";
import { findWeights } from "../sparsity/lines.ts";
import { hasOrderedColumns } from "../sparsity/ordered-columns.ts";
import { createBcGnj } from "../sparsity/turbo-vbi/baselines/bc-gnj.ts";
import { createSparseVd } from "../sparsity/turbo-vbi/baselines/sparse-vd.ts";
import { createVibNet } from "../sparsity/turbo-vbi/baselines/vibnet.ts";
import type { PosteriorSparsifier } from "../sparsity/turbo-vbi/posterior.ts";
import type { PriorSpec } from "../sparsity/turbo-vbi/priors/kinds.ts";
import { createTurboVbi } from "../sparsity/turbo-vbi/turbo-vbi.ts";
import type { PosteriorMethod } from "./methods.ts";
import { hasSupport } from "./methods.ts";
import { nearest } from "./nearest.ts";
import type { PosteriorRecipe } from "./recipe.ts";

/**
 * 5 % of the weights in use. With turbo-vbi chains with a mean run of 3.5 where neighbours mean something, and independent
 * bits elsewhere (turbovbi.md 9.10).
 */
function defaultPrior(graph: Graph, layer: WeightLayout, method: PosteriorMethod): PriorSpec {
  const lambda = 0.05;
  return method === "turbo-vbi" && hasOrderedColumns(graph, layer)
    ? { kind: "chain", lambda, meanRun: 3.5 }
    : { kind: "iid", lambda };
}

const NOISE_METHODS = { "sparse-vd": createSparseVd, "bc-gnj": createBcGnj, vibnet: createVibNet };

/** The posteriors of a recipe for its model. Throws a `Problem` where a layer that it names has no weights of its own. */
export function createRunPosterior(
  graph: Graph,
  { method, prior, layers: own, ...options }: PosteriorRecipe,
  { samples, seed }: { samples: number; seed: number },
): PosteriorSparsifier {
  if (!hasSupport(method)) {
    const { warmup, select, strength, roundEpochs, annealRounds } = options;
    const annealEpochs = roundEpochs * annealRounds;
    return NOISE_METHODS[method](graph, { samples, seed, warmup, select, strength, annealEpochs });
  }
  const weights = findWeights(graph);
  const names = weights.map((w) => w.name);
  for (const name of Object.keys(own))
    if (!names.includes(name)) {
      const near = nearest(name, names);
      throw new Problem(
        `posterior: there is no linear layer or convolution "${name}"${near ? `; did you mean "${near}"?` : ""}; there are ${names.join(", ")}`,
      );
    }
  const layers = weights.map((layer) => ({
    ...layer,
    prior: own[layer.name] ?? prior ?? defaultPrior(graph, layer, method),
  }));
  return createTurboVbi({ ...options, layers, samples, seed });
}
