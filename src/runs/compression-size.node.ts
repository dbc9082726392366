import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Graph } from "../engine/graph.ts";
import { ALIGNMENT } from "../sparsity/align.ts";
import { findGroups } from "../sparsity/groups/kinds.ts";
import { countsWithin, keepShare, parseBudget, planBudget, roundedUp } from "./budget.ts";
import type { GroupRequest, Size } from "./compress-request.ts";
import { excludeLayers } from "./exclude-layers.ts";
import { findRun } from "./execute-run.node.ts";
import { methodOf } from "./methods.ts";
import { withinTime } from "./within-time.ts";

/**
 * What a request comes to for a network with trained weights. Budgets with rounded widths become counts before training:
 * the layers' shares are decided by the weights as they are. Throws a `Problem` where a budget cannot be met.
 */
export async function createSize(
  original: Graph,
  {
    method,
    groups,
    exclude = [],
    budget,
    round = 1,
  }: Pick<GroupRequest, "method" | "groups" | "exclude" | "budget" | "round">,
): Promise<(trained: Graph, earlier?: string) => Promise<Size>> {
  const sets = excludeLayers(original, findGroups(original, groups), exclude);
  if ("within" in budget) {
    const allowed = parseBudget(budget.within);
    if (allowed.measure === "ms") {
      const inTime = await withinTime(original, sets, allowed, round > 1 ? round : ALIGNMENT);
      return async (trained, earlier) =>
        (earlier && (await earlierSize(earlier))) || { keep: await inTime(trained) };
    }
    const choice = planBudget(original, sets, allowed, { round });
    return async (trained) =>
      round > 1 || methodOf(method).reference === "fresh"
        ? { keep: countsWithin(trained, sets, choice) }
        : { budget: budget.within };
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
async function earlierSize(directory: string): Promise<Size | undefined> {
  const started = await stat(join(directory, "recipe.yaml")).catch(() => undefined);
  if (!started) return undefined;
  const { keep, budget } = (await findRun(directory, "")).recipe.sparsifier ?? {};
  if (budget) return { budget };
  return typeof keep === "object" && keep ? { keep } : undefined;
}
