import type { Graph } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import { ALIGNMENT, alignChannels } from "../sparsity/align.ts";
import { leastCost } from "../sparsity/groups/choose.ts";
import type { GroupSet } from "../sparsity/groups/group-set.ts";
import type { Budget, KeepCounts } from "./budget.ts";
import { blockedLayers, countsWithin, withCounts } from "./budget.ts";
import { significant } from "./format.ts";
import { measureLatency } from "./latency.ts";
import { measureLedger } from "./latency-table.ts";

/** Measurements of whole networks between the smallest and the original. */
const ATTEMPTS = 4;

/**
 * Counts whose network, measured as a whole, takes no more than a time. Layers alone do not add up to a network, so the
 * table of their latencies shares out what is kept, and how much that may be is found by halving. Throws a `Problem` where
 * the smallest network takes longer.
 */
export async function withinTime(
  original: Graph,
  sets: readonly GroupSet[],
  { amount, isShare, batch }: Budget,
  round: number,
): Promise<(trained: Graph) => Promise<KeepCounts>> {
  const ledger = await measureLedger(original, sets, { batch, block: round });
  const sections = sets.map(({ name, partition }) => ({ name, groups: partition.groups }));
  const countsAt = (graph: Graph, limit: number) =>
    countsWithin(graph, sets, { ledger, sections, round, limit });
  const measured = async (keep: KeepCounts) => {
    const small = withCounts(original, sets, keep);
    const models = [original, small, alignChannels(small, ALIGNMENT)];
    const [before, ...after] = await measureLatency(models, { batch, threads: 1, runs: 20, atLeast: 60 });
    return { before, share: Math.min(...after) / before };
  };
  const least = leastCost({ ledger, sections, round });
  const smallest = countsAt(original, least);
  const { before, share } = await measured(smallest);
  // What else the machine does falls on all alike, so the original is the measure of time.
  const allowed = isShare ? amount : amount / before;
  if (share > allowed)
    throw new Problem(
      `a budget of ${significant(allowed * before)} ms cannot be met: with ${round} groups a layer ${significant(share * before)} are left, ${significant(100 * share)} % of ${significant(before)}; ask for more${blockedLayers(
        original,
      )
        .map((reason) => `; ${reason}`)
        .join("")}`,
    );
  return async (trained) => {
    let best = countsAt(trained, least);
    let [low, high] = [least, ledger.cost()];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // The first guess trusts the table.
      const middle = attempt === 0 ? Math.max(low, allowed * high) : (low + high) / 2;
      const keep = countsAt(trained, middle);
      const fits = (await measured(keep)).share <= allowed;
      if (fits) best = keep;
      if (fits) low = middle;
      else high = middle;
    }
    return best;
  };
}
