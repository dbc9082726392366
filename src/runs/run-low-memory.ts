import type { Graph } from "../engine/graph.ts";
import { fullRank } from "../sparsity/spectral/footprint.ts";
import type { RankTraining } from "../sparsity/spectral/rank-methods.ts";
import { createRankMethod } from "../sparsity/spectral/rank-methods.ts";
import type { LowMemoryRecipe, SpectralRecipe } from "./recipe.ts";

/** The method that a recipe asks for, for its model and a run of so many steps. */
export function createRunLowMemory(
  graph: Graph,
  recipe: LowMemoryRecipe,
  { steps, seed }: { steps: number; seed: number },
): RankTraining {
  if (recipe.method === "full") return fullRank();
  const { method, rank, ...clock } = recipe;
  const { iterationSteps, roundIterations, iterationWarmup, ...spectral }: Partial<SpectralRecipe> = clock;
  return createRankMethod(graph, method, {
    rank,
    steps,
    iterationSteps: iterationSteps ?? undefined,
    roundIterations: roundIterations ?? undefined,
    warmup: iterationWarmup ?? undefined,
    spectral,
    seed,
  });
}
