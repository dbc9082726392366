import type { Graph } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import { accountModel } from "../sparsity/accounting.ts";
import { analyzeChannels } from "../sparsity/channels.ts";
import { createBudget } from "../sparsity/groups/budget.ts";
import type { Choice } from "../sparsity/groups/choose.ts";
import { chooseWithin, leastCost, spareLayers } from "../sparsity/groups/choose.ts";
import type { GroupSet } from "../sparsity/groups/group-set.ts";
import type { Ledger, Measure } from "../sparsity/groups/ledger.ts";
import { createLedger, MEASURES } from "../sparsity/groups/ledger.ts";
import { groupNorms, joinPartitions } from "../sparsity/groups.ts";
import type { GroupedLayer } from "../sparsity/k-anneal-options.ts";
import { shrink } from "../sparsity/shrink.ts";
import { formatCount, significant } from "./format.ts";
import { nearest } from "./nearest.ts";

/** Groups to keep in each set, by its name. */
export type KeepCounts = Record<string, number>;

/** What a network may cost. */
export interface Budget {
  measure: Measure | "ms";
  amount: number;
  /** The amount is a share of what the original network costs. */
  isShare: boolean;
  /** Samples in a run whose milliseconds are meant. */
  batch: number;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

/**
 * A budget from text: `macs=0.3` and `macs=30%` are shares, `parameters=20k`, `bytes=50kB` and `groups=120` amounts;
 * `ms=2.5` or `ms=60%` is time for one sample, `ms@64=2.5` for a batch of 64. Throws a `Problem` for anything else.
 */
export function parseBudget(text: string): Budget {
  const match = /^(\w+)(?:@([1-9]\d*))?=(\d*\.?\d+)(%|[kMG]?B?)$/.exec(text.trim());
  const measures: readonly string[] = [...MEASURES, "ms"];
  const [, measure = "", batch, number, unit = ""] = match ?? [];
  const isTime = measure === "ms";
  const wellFormed =
    measures.includes(measure) &&
    Number(number) > 0 &&
    (batch === undefined || isTime) &&
    (!unit.endsWith("B") || measure === "bytes") &&
    (unit === "" || unit === "%" || !isTime);
  if (!wellFormed)
    throw new Problem(
      `"${text}" is no budget; expected one of ${measures.join(", ")} with a share or an amount, such as macs=0.3, parameters=20k, bytes=50kB, ms=60% or ms@64=2.5`,
    );
  const isShare = unit === "%" || (!isTime && unit === "" && Number(number) <= 1);
  const amount = Number(number) * (unit === "%" ? 0.01 : UNITS[unit.replace("B", "")]);
  if (isShare && amount > 1) throw new Problem(`"${text}": a share is at most 100 %`);
  return { measure: measure as Budget["measure"], amount, isShare, batch: Number(batch ?? 1) };
}

/** `count` rounded up to a multiple, but never above what there is (wgsef.md 3.9, rule 7). */
export function roundedUp(count: number, groups: number, round: number): number {
  return Math.min(groups, Math.ceil(count / round) * round);
}

/** The same share of every set's groups, at least one each. */
export function keepShare(sets: readonly GroupSet[], share: number): KeepCounts {
  return Object.fromEntries(
    sets.map(({ name, partition }) => [name, Math.max(1, Math.round(share * partition.groups))]),
  );
}

/**
 * The sets that counts name, by themselves or by a layer of theirs, and how many groups each keeps, rounded up; all others
 * stay whole. Throws a `Problem` where a name fits none, or two fit one.
 */
export function byCounts(
  sets: readonly GroupSet[],
  keep: KeepCounts,
  round: number,
): (GroupedLayer & { keep: number })[] {
  const taken = new Map<GroupSet, string>();
  return Object.entries(keep).map(([name, count]) => {
    const found = sets.find((s) => s.name === name) ?? sets.find((s) => s.layers.includes(name));
    const other = found && taken.get(found);
    if (other) throw new Problem(`keep: "${other}" and "${name}" write the same channels; name one of them`);
    if (found) taken.set(found, name);
    const { partition } = found ?? {};
    if (partition)
      return {
        name,
        partition,
        keep: count > partition.groups ? count : roundedUp(count, partition.groups, round),
      };
    const names = sets.map((s) => s.name);
    const near = nearest(name, names);
    throw new Problem(
      `keep: there is no layer "${name}" that can shrink${near ? `; did you mean "${near}"?` : ""}; ` +
        `there are ${names.join(", ")}`,
    );
  });
}

/** The network with `keep` channels in each set, whichever they are: what it will cost is already exact. */
export function withCounts(graph: Graph, sets: readonly GroupSet[], keep: KeepCounts): Graph {
  const masks = sets
    .filter(({ name, stream }) => stream !== undefined && keep[name] !== undefined)
    .map(
      ({ name, stream, partition }) =>
        [stream!, Uint8Array.from({ length: partition.groups }, (_, j) => Number(j < keep[name]))] as const,
    );
  return shrink(graph, new Map(masks));
}

/**
 * All groups of a network as one layer of `createKAnneal`, of which as many stay as a budget allows: a share or a number of
 * `groups`, `parameters`, `macs` or `bytes`, such as `macs=0.5`. Throws a `Problem` where it cannot be met.
 */
export function withinBudget(graph: Graph, sets: readonly GroupSet[], budget: string): GroupedLayer {
  const choice = planBudget(graph, sets, parseBudget(budget));
  return {
    name: "network",
    partition: joinPartitions(sets.map((s) => s.partition)),
    keep: createBudget(choice),
  };
}

export interface PlanOptions {
  round?: number;
  /** What prices the groups, instead of counting what `measure` says. */
  ledger?: Ledger;
}

/** The budget as a limit on what `sets` may cost. Throws a `Problem` where they cost less already, and one that names the least where even that is more. */
export function planBudget(
  graph: Graph,
  sets: readonly GroupSet[],
  budget: Budget,
  { round = 1, ledger = createLedger(graph, sets, countable(budget)) }: PlanOptions = {},
): Choice {
  const sections = sets.map(({ name, partition }) => ({ name, groups: partition.groups }));
  const total = ledger.cost();
  const amount = budget.isShare ? budget.amount * total : budget.amount;
  const limit = budget.measure === "groups" ? Math.floor(amount) : amount;
  if (!budget.isShare && limit > total)
    throw new Problem(
      `a budget of ${figure(budget, limit)} ${budget.measure} is more than the ${figure(budget, total)} of the whole network; ask for less`,
    );
  const least = leastCost({ ledger, sections, round });
  if (least > limit * (1 + 1e-12)) {
    const each = round > 1 ? `${round} groups` : "one group";
    const why = [...largestLeft(graph, sets, budget.measure, round), ...blockedLayers(graph)];
    throw new Problem(
      `a budget of ${figure(budget, limit)} ${budget.measure} cannot be met: with ${each} a layer ${figure(budget, least)} are left, ${significant((100 * least) / total)} % of ${figure(budget, total)}${why.map((reason) => `; ${reason}`).join("")}; ask for ${figure(budget, least)} or more`,
    );
  }
  const choice = { ledger, sections, limit, round };
  return { ...choice, sections: spareLayers(choice) };
}

function figure({ measure }: Budget, n: number): string {
  return measure === "ms" ? significant(n) : formatCount(n);
}

/** Layers and reasons that an error names. */
const NAMED = 3;

/** In words, which layers cost most when every set has as few groups as it can, where these are channels. */
function largestLeft(
  graph: Graph,
  sets: readonly GroupSet[],
  measure: Budget["measure"],
  round: number,
): string[] {
  if (measure === "ms" || measure === "groups" || !sets.every((s) => s.stream)) return [];
  const fewest = sets.map(({ name, partition }) => [name, roundedUp(1, partition.groups, round)]);
  const { layers } = accountModel(withCounts(graph, sets, Object.fromEntries(fewest)));
  const largest = [...layers].sort((a, b) => b[measure] - a[measure]).slice(0, NAMED);
  return [`most of it in ${largest.map((l) => `${l.name} ${formatCount(l[measure])}`).join(", ")}`];
}

/** In words, the layers whose channels have to stay, with what blocks them. */
export function blockedLayers(graph: Graph): string[] {
  return analyzeChannels(graph)
    .streams.filter((s) => s.blocked !== undefined && s.layers.length > 0)
    .slice(0, NAMED)
    .map(({ layers, blocked }) => `channels of ${layers.join(" and ")} have to stay: ${blocked}`);
}

function countable({ measure }: Budget): Measure {
  if (measure === "ms")
    throw new Problem(
      "a budget in ms needs measurements, which a recipe cannot repeat; filigree compress and layersWithin measure, or name groups by keep",
    );
  return measure;
}

/** How many groups of each set a budget leaves, with the weights as they are: those of the largest norm for what they cost. */
export function countsWithin(graph: Graph, sets: readonly GroupSet[], choice: Choice): KeepCounts {
  const arrays = Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));
  // A group of zeros counts too: which ones stay is not decided here.
  const scores = sets.flatMap(({ partition }) => [...groupNorms(partition, arrays)].map((n) => n + 1e-30));
  const kept = chooseWithin(choice, Float64Array.from(scores));
  let start = 0;
  return Object.fromEntries(
    sets.map(({ name, partition }) => {
      const own = kept.subarray(start, (start += partition.groups));
      return [name, own.reduce((a, b) => a + b, 0)];
    }),
  );
}
