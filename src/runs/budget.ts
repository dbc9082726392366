import type { Graph } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import { accountModel } from "../sparsity/accounting.ts";
import { shrink } from "../sparsity/shrink.ts";
import { significant } from "./format.ts";
import type { PrunableLayer } from "./run-sparsifier.ts";

/** Groups to keep in each layer, by its name. */
export type KeepCounts = Record<string, number>;

/** The same share of every layer's groups, at least one each. */
export function keepShare(layers: readonly PrunableLayer[], share: number): KeepCounts {
  return Object.fromEntries(
    layers.map(({ name, partition }) => [name, Math.max(1, Math.round(share * partition.groups))]),
  );
}

/** The network with `keep` groups in each layer, whichever they are: what it will cost is already exact. */
export function withCounts(graph: Graph, layers: readonly PrunableLayer[], keep: KeepCounts): Graph {
  const masks = layers
    .filter(({ name }) => keep[name] !== undefined)
    .map(
      ({ name, partition }) =>
        [name, Uint8Array.from({ length: partition.groups }, (_, j) => Number(j < keep[name]))] as const,
    );
  return shrink(graph, new Map(masks));
}

/**
 * The largest common share of groups whose network costs at most `share` of the multiply–accumulates of `graph`. Throws
 * a `Problem` where even one group a layer costs more.
 */
export function keepForMacs(graph: Graph, layers: readonly PrunableLayer[], share: number): KeepCounts {
  const limit = share * accountModel(graph).total.macs;
  const macsWith = (keep: KeepCounts) => accountModel(withCounts(graph, layers, keep)).total.macs;
  const least = keepShare(layers, 0);
  const floor = macsWith(least);
  if (floor > limit)
    throw new Problem(
      `no network of this kind has ${significant(100 * share)} % of the MACs: with one group a layer it still has ${significant((100 * floor * share) / limit)} %; ask for more`,
    );
  let [low, high] = [0, 1];
  for (let i = 0; i < 12; i++) {
    const middle = (low + high) / 2;
    if (macsWith(keepShare(layers, middle)) <= limit) low = middle;
    else high = middle;
  }
  return keepShare(layers, low);
}
