import type { Graph } from "../engine/graph.ts";
import { replay } from "../engine/replay.ts";
import { sameShape } from "../engine/shapes.ts";
import { removeDeadNodes } from "../engine/simplify.ts";
import { traceFlow } from "./channels/flow.ts";
import { keptWithout } from "./channels/kept.ts";
import { knownNumbers } from "./channels/known.ts";
import { addsTwo } from "./groups/branches.ts";

export interface BranchShrinkResult {
  graph: Graph;
  /** Sums that are gone, by the names of their results. */
  removed: readonly string[];
}

/**
 * Removes what adds nothing: a term of a sum that is zero whatever is fed goes with all that computes it, and the sum
 * becomes the other term. Residual branches with zero weights vanish in this way. Names of outputs stay.
 */
export function shrinkBranches(graph: Graph): BranchShrinkResult {
  const flow = traceFlow(graph);
  const known = knownNumbers(flow, keptWithout(flow, new Set()));
  const outputs = new Set(graph.outputs);
  const removed: string[] = [];
  // The traced graph has the same nodes, and constants apart.
  const result = replay(graph, {
    node: (node, inputs) => {
      const index = graph.nodes.indexOf(node);
      if (!addsTwo(node) || outputs.has(node.outputs[0])) return undefined;
      const shape = graph.types.get(node.outputs[0])!.shape;
      const zero = flow.graph.nodes[index].inputs.findIndex((name) => known.whole(name) === 0);
      const other = inputs[1 - zero];
      if (zero < 0 || !other || !sameShape(other.shape, shape)) return undefined;
      removed.push(node.outputs[0]);
      return [other];
    },
  });
  if (removed.length === 0) return { graph, removed };
  removeDeadNodes(result);
  const read = new Set([...result.outputs, ...result.nodes.flatMap((n) => n.inputs)]);
  for (const name of [...result.parameters.keys()])
    if (!read.has(name)) {
      result.parameters.delete(name);
      result.types.delete(name);
    }
  return { graph: result, removed };
}
