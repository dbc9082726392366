import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Graph } from "../engine/graph.ts";
import { findGroups } from "../sparsity/groups/kinds.ts";
import type { KeepCounts } from "./budget.ts";
import { countsWithin, keepShare, parseBudget, planBudget, roundedUp } from "./budget.ts";
import type { CompressRequest } from "./compress.node.ts";
import { findRun } from "./execute-run.node.ts";

/** How small a recipe shall make a network: by counts, or by a budget that training itself shares out. */
export interface Size {
  keep?: KeepCounts;
  budget?: string;
}

/**
 * What a request comes to for a network with trained weights. Budgets with rounded widths become counts before training:
 * the layers' shares are decided by the weights as they are. Throws a `Problem` where a budget cannot be met.
 */
export async function createSize(
  original: Graph,
  { groups, budget, round = 1 }: CompressRequest,
): Promise<(trained: Graph, earlier?: string) => Promise<Size>> {
  const sets = findGroups(original, groups);
  if ("within" in budget) {
    const choice = planBudget(original, sets, parseBudget(budget.within), { round });
    return async (trained) =>
      round > 1 ? { keep: countsWithin(trained, sets, choice) } : { budget: budget.within };
  }
  const counts = typeof budget.keep === "number" ? keepShare(sets, budget.keep) : budget.keep;
  const keep = Object.fromEntries(
    Object.entries(counts).map(([name, k]) => {
      const set = sets.find((s) => s.name === name || s.layers.includes(name));
      const most = set?.partition.groups ?? k;
      return [name, k > most ? k : roundedUp(k, most, round)];
    }),
  );
  return async () => ({ keep });
}

/** What a run in this directory was started with; undefined where there is none. */
export async function earlierSize(directory: string): Promise<Size | undefined> {
  const started = await stat(join(directory, "recipe.yaml")).catch(() => undefined);
  if (!started) return undefined;
  const { keep, budget } = (await findRun(directory, "")).recipe.sparsifier ?? {};
  if (budget) return { budget };
  return typeof keep === "object" && keep ? { keep } : undefined;
}
