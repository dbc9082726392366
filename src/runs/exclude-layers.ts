import type { Graph } from "../engine/graph.ts";
import { consumers } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import { analyzeChannels } from "../sparsity/channels.ts";
import { branchGroups } from "../sparsity/groups/branches.ts";
import type { GroupSet } from "../sparsity/groups/group-set.ts";
import { layerName } from "../sparsity/layers.ts";
import { nearest } from "./nearest.ts";

/**
 * The groups without those of some layers, which keep all they make: with a layer of channels stay all that are coupled to
 * it. A layer that could lose nothing anyway, such as the last one, may be named too. Throws a `Problem` where there is no
 * layer of a name, or nothing is left.
 */
export function excludeLayers(
  graph: Graph,
  sets: readonly GroupSet[],
  exclude: readonly string[],
): readonly GroupSet[] {
  if (exclude.length === 0) return sets;
  requireLayers(graph, sets, exclude);
  const users = consumers(graph);
  const isExcluded = (name: string) => exclude.includes(name);
  const left = sets.flatMap((set) => {
    if (set.branches)
      return branchGroups(
        graph,
        set.branches.filter(({ nodes }) => !nodes.some((node) => isExcluded(layerName(graph, node)))),
      );
    // Slices of readers go with channels; weights of other kinds belong to whatever reads them.
    const readers = set.stream === undefined ? set.partition.parts : [];
    const layers = readers.flatMap(({ parameter }) =>
      (users.get(parameter) ?? []).map((node) => layerName(graph, node)),
    );
    return [set.name, ...set.layers, ...layers].some(isExcluded) ? [] : [set];
  });
  if (left.length === 0) throw new Problem("exclude: no layer is left that can shrink; exclude fewer");
  return left;
}

function requireLayers(graph: Graph, sets: readonly GroupSet[], exclude: readonly string[]): void {
  const known = new Set([
    ...analyzeChannels(graph).streams.flatMap((stream) => stream.layers),
    ...sets.flatMap((set) => [set.name, ...set.layers]),
  ]);
  const unknown = exclude.find((name) => !known.has(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  throw new Problem(
    `exclude: there is no layer "${unknown}"${near ? `; did you mean "${near}"?` : ""}; there are ${[...known].join(", ")}`,
  );
}
