import type { Graph } from "../engine/graph.ts";
import { ALIGNMENT } from "../sparsity/align.ts";
import type { GroupSet } from "../sparsity/groups/group-set.ts";
import type { GroupedLayer } from "../sparsity/k-anneal-options.ts";
import { countsWithin, parseBudget, planBudget, withinBudget } from "./budget.ts";
import { withinTime } from "./within-time.ts";

/**
 * What a budget leaves of a network, as layers of `createKAnneal`, and as `filigree compress` shares it out. Milliseconds
 * (`ms=60%`, `ms@64=2.5`) are measured here on one thread; their counts, and all with `round` above 1, are decided by the
 * weights as they are, so give a network that is trained. Any other budget is left to training: see `withinBudget`. Throws
 * a `Problem` where the budget cannot be met.
 *
 * @param options.round Every layer keeps a multiple of this many groups, or all. Default 1, and 8 with milliseconds.
 */
export async function layersWithin(
  graph: Graph,
  sets: readonly GroupSet[],
  budget: string,
  { round = 1 }: { round?: number } = {},
): Promise<GroupedLayer[]> {
  const allowed = parseBudget(budget);
  const isTime = allowed.measure === "ms";
  if (!isTime && round === 1) return [withinBudget(graph, sets, budget)];
  const counts = isTime
    ? await (await withinTime(graph, sets, allowed, round > 1 ? round : ALIGNMENT))(graph)
    : countsWithin(graph, sets, planBudget(graph, sets, allowed, { round }));
  return sets.map(({ name, partition }) => ({ name, partition, keep: counts[name] }));
}
