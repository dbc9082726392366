import type { Graph } from "../engine/graph.ts";
import type { Sparsifier } from "../nn/sparsifier.ts";
import type { Measured } from "../sparsity/spectral/footprint.ts";
import { createRankMethod } from "../sparsity/spectral/rank-methods.ts";
import type { Recipe } from "./recipe.ts";

/** The method of a recipe that trains less than every weight, for its model. */
export function createRunLowMemory(
  graph: Graph,
  { lowMemory, epochs, seed }: Recipe,
  stepsPerEpoch: number,
): Sparsifier & Measured {
  const { method, rank, sampler, gradient, ...clock } = lowMemory!;
  return createRankMethod(graph, method, {
    rank,
    steps: epochs * stepsPerEpoch,
    iterationSteps: clock.iterationSteps ?? undefined,
    roundIterations: clock.roundIterations ?? undefined,
    warmup: clock.iterationWarmup ?? undefined,
    spectral: { sampler, gradient },
    seed,
  });
}
