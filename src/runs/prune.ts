import type { Graph } from "../engine/graph.ts";
import { cloneGraph } from "../engine/graph.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { random } from "../random.ts";
import { keepCount, requireKeepable } from "../sparsity/allowance.ts";
import { analyzeChannels, streamPartition } from "../sparsity/channels.ts";
import { chooseWithin } from "../sparsity/groups/choose.ts";
import type { GroupSet } from "../sparsity/groups/group-set.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import { findGroups } from "../sparsity/groups/kinds.ts";
import type { GroupPartition } from "../sparsity/groups.ts";
import { groupAbsoluteSums, groupNorms, groupSizes, zeroGroups } from "../sparsity/groups.ts";
import { shrink } from "../sparsity/shrink.ts";
import { shrinkZeros } from "../sparsity/shrink-zeros.ts";
import type { KeepCounts } from "./budget.ts";
import { byCounts, keepShare, parseBudget, planBudget } from "./budget.ts";
import { excludeLayers } from "./exclude-layers.ts";

/** What says which groups go: the Euclidean norm of their weights, the sum of absolute weights, or the seed. */
export const IMPORTANCES = ["l2", "l1", "random"] as const;
export type Importance = (typeof IMPORTANCES)[number];

export interface PruneOptions {
  /** What a group is. Default filters. */
  groups?: GroupChoice;
  /** Groups to keep: a share of every layer's, or counts by layer; layers without one stay whole. This or `budget`. */
  keep?: number | KeepCounts;
  /** What the whole network may cost, in `groups`, `parameters`, `macs` or `bytes`, such as `macs=0.5`. */
  budget?: string;
  /** Every layer keeps a multiple of this many groups, or all. Default 1. */
  round?: number;
  /** Default `l2`. */
  by?: Importance;
  /** Of `random`. Default 0. */
  seed?: number;
  /** Layers that keep all their groups. */
  exclude?: readonly string[];
}

/** What is left of the groups of a layer, or of several that are tied together. */
export interface PrunedLayer extends Pick<GroupSet, "name" | "layers" | "stream"> {
  /** 1 for each group that stays, else 0. */
  keep: Uint8Array;
}

export interface PrunedModel {
  /** The smaller network. */
  graph: Graph;
  /** The original with zeros in the place of what went, which computes the same. No two of the three share an array. */
  zeroed: Graph;
  layers: readonly PrunedLayer[];
}

/**
 * Removes the least important groups of a network, without data or training. Channels, neurons and heads go with all that
 * makes and reads them, whatever they were before; branches go from their sums; weights of other kinds become zeros, and
 * only channels that nothing depends on any more leave. Throws a `Problem` where there are no such groups, or no such
 * layers, or the budget cannot be met.
 */
export function pruneModel(graph: Graph, options: PruneOptions): PrunedModel {
  const { groups, exclude = [] } = options;
  const sets = excludeLayers(graph, findGroups(graph, groups), exclude);
  const masks = chooseGroups(graph, sets, options);
  const layers = sets.map(({ name, layers, stream }, i) => ({ name, layers, stream, keep: masks[i] }));
  const zeros = (partitions: readonly GroupPartition[]) => withZeroGroups(graph, partitions, masks);
  // Sets of one kind are all of channels or none of them.
  if (sets.some((set) => set.stream === undefined)) {
    const zeroed = zeros(sets.map((set) => set.partition));
    return { graph: shrinkZeros(withOwnArrays(zeroed)).graph, zeroed, layers };
  }
  const streams = new Map(analyzeChannels(graph).streams.map((stream) => [stream.name, stream]));
  // Readers too: a channel goes even where an activation makes something else of its zeros.
  const zeroed = zeros(
    sets.map(({ stream }) => streamPartition(graph, streams.get(stream!)!, { members: "all" })),
  );
  const keep = new Map(layers.map((l) => [l.stream!, l.keep]));
  return { graph: shrink(withOwnArrays(graph), keep), zeroed, layers };
}

/** Which groups of each set stay, 1 or 0 each. */
function chooseGroups(
  graph: Graph,
  sets: readonly GroupSet[],
  { keep, budget, round = 1, by = "l2", seed = 0 }: PruneOptions,
): Uint8Array[] {
  if ((keep === undefined) === (budget === undefined))
    throw new Problem("say how small: either keep or budget, such as keep: 0.3");
  const scores = importances(graph, sets, by, seed);
  if (budget !== undefined) {
    const kept = chooseWithin(
      planBudget(graph, sets, parseBudget(budget), { round }),
      Float64Array.from(scores.flatMap((own) => [...own])),
    );
    let start = 0;
    return sets.map(({ partition }) => kept.slice(start, (start += partition.groups)));
  }
  const counts = typeof keep === "object" ? keep : keepShare(sets, keep!);
  const layers = byCounts(sets, counts, round);
  for (const { name, partition, keep: count } of layers)
    requireKeepable({ name, groups: partition.groups }, count);
  return sets.map(({ partition }, i) => {
    const count = layers.find((l) => l.partition === partition)?.keep ?? partition.groups;
    return keepCount(count).choose(scores[i]);
  });
}

/** A number above 0 for each group of each set, comparable between sets. */
function importances(graph: Graph, sets: readonly GroupSet[], by: Importance, seed: number): Float64Array[] {
  const arrays = Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));
  // A group of zeros counts too: it goes first, but a layer keeps one even if all are zero.
  const above = (scores: Float64Array) => scores.map((score) => score + 1e-30);
  switch (by) {
    case "l2":
      return sets.map(({ partition }) => above(groupNorms(partition, arrays)));
    case "l1":
      return sets.map(({ partition }) => {
        // Sums grow with the number of weights, Euclidean norms with its root: so do these.
        const sizes = groupSizes(partition);
        return above(groupAbsoluteSums(partition, arrays).map((sum, j) => sum / Math.sqrt(sizes[j] || 1)));
      });
    case "random": {
      const drawn = random(seed).permutation(sets.reduce((sum, set) => sum + set.partition.groups, 0));
      let start = 0;
      return sets.map(({ partition }) =>
        Float64Array.from(drawn.slice(start, (start += partition.groups)), (place) => 1 + place),
      );
    }
    default:
      throw new Problem(`there is no importance "${by as string}"; there are ${IMPORTANCES.join(", ")}`);
  }
}

/** The network with zeros in the place of the groups that are not kept. */
function withZeroGroups(
  graph: Graph,
  partitions: readonly GroupPartition[],
  keep: readonly Uint8Array[],
): Graph {
  const zeroed = withOwnArrays(graph);
  const arrays = Object.fromEntries([...zeroed.parameters].map(([name, t]) => [name, t.data]));
  partitions.forEach((partition, i) => {
    zeroGroups(partition, arrays, keep[i]);
  });
  return zeroed;
}

function withOwnArrays(graph: Graph): Graph {
  const copied = <T extends Tensor>(tensors: ReadonlyMap<string, T>) =>
    new Map([...tensors].map(([name, t]) => [name, { ...t, data: t.data.slice() }]));
  return {
    ...cloneGraph(graph),
    parameters: copied(graph.parameters),
    constants: copied(graph.constants),
  };
}
