import type { Graph } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import { findWeights } from "../sparsity/lines.ts";
import type { TurboVbi } from "../sparsity/turbo-vbi/turbo-vbi.ts";
import { createTurboVbi } from "../sparsity/turbo-vbi/turbo-vbi.ts";
import { nearest } from "./nearest.ts";
import type { PosteriorRecipe } from "./recipe.ts";

/** The posteriors of a recipe for its model. Throws a `Problem` where a layer that it names has no weights of its own. */
export function createRunPosterior(
  graph: Graph,
  { method: _, prior, layers: own, ...options }: PosteriorRecipe,
  { samples, seed }: { samples: number; seed: number },
): TurboVbi {
  const weights = findWeights(graph);
  const names = weights.map((w) => w.name);
  for (const name of Object.keys(own))
    if (!names.includes(name)) {
      const near = nearest(name, names);
      throw new Problem(
        `posterior: there is no linear layer or convolution "${name}"${near ? `; did you mean "${near}"?` : ""}; there are ${names.join(", ")}`,
      );
    }
  const layers = weights.map((layer) => ({ ...layer, prior: own[layer.name] ?? prior }));
  return createTurboVbi({ ...options, layers, samples, seed });
}
