import { neededNodes } from "../../engine/evaluate.ts";
import type { Graph, Node } from "../../engine/graph.ts";
import { consumers, producers } from "../../engine/graph.ts";
import { sizeOf } from "../../engine/tensor.ts";
import type { GroupPart } from "../groups.ts";
import { layerName } from "../layers.ts";
import type { GroupSet } from "./group-set.ts";
import { nameApart } from "./group-set.ts";

/** What a sum adds to its own starting point: without it the sum is the identity. */
export interface ResidualBranch {
  name: string;
  /** The sum, and which of its inputs the branch is. */
  sum: Node;
  input: number;
  /** The branch's own nodes, in graph order. */
  nodes: readonly Node[];
  /** Parameters that only these nodes read. */
  parameters: readonly string[];
}

/** Older exporters write a residual sum as `Sum`. */
export function addsTwo({ op, inputs }: Node): boolean {
  return (op === "Add" || op === "Sum") && inputs.length === 2;
}

/** The residual branches of a graph around which the identity leads, in graph order; one with a projection beside it is none. */
export function residualBranches(graph: Graph): ResidualBranch[] {
  const makers = producers(graph);
  const users = consumers(graph);
  const outputs = new Set(graph.outputs);
  return nameApart(
    graph.nodes.flatMap((sum) => {
      if (!addsTwo(sum)) return [];
      for (const input of [0, 1]) {
        const [end, start] = [sum.inputs[input], sum.inputs[1 - input]];
        if (!makers.has(end)) continue;
        const behind = neededNodes(graph, [end]);
        const starts = makers.get(start);
        const leaves = starts ? behind.has(starts.name) : graph.inputs.includes(start);
        if (!leaves) continue;
        const before = neededNodes(graph, [start]);
        const own = new Set(graph.nodes.filter((n) => behind.has(n.name) && !before.has(n.name)));
        // What others read as well is not the branch's alone.
        for (const node of [...own].reverse())
          if (
            node.outputs.some(
              (o) => outputs.has(o) || (users.get(o) ?? []).some((u) => u !== sum && !own.has(u)),
            )
          )
            own.delete(node);
        const nodes = graph.nodes.filter((n) => own.has(n));
        const parameters = [...graph.parameters.keys()].filter((name) => {
          const readers = users.get(name) ?? [];
          return readers.length > 0 && readers.every((r) => own.has(r));
        });
        const first = nodes.find((n) => n.inputs.some((name) => parameters.includes(name)));
        if (first) return [{ name: layerName(graph, first), sum, input, nodes, parameters }];
      }
      return [];
    }),
  );
}

/** All weights of a residual branch as one group: zero, they leave the identity (depth, wgsef.md 3.9). */
export function branchGroups(
  graph: Graph,
  branches: readonly ResidualBranch[] = residualBranches(graph),
): GroupSet[] {
  if (branches.length === 0) return [];
  const parts = branches.flatMap(({ parameters }, j) =>
    parameters.map(
      (parameter): GroupPart => ({
        parameter,
        outer: 1,
        channels: 1,
        inner: sizeOf(graph.parameters.get(parameter)!.shape),
        offset: -j,
      }),
    ),
  );
  return [
    {
      name: "branches",
      layers: branches.map(({ name }) => name),
      partition: { groups: branches.length, parts },
      branches,
    },
  ];
}
