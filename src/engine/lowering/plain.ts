import type { Graph } from "../graph.ts";
import { addNode, valueNamed } from "../graph.ts";
import { findOperator } from "../operators/operator.ts";
import type { ReplayOptions } from "../replay.ts";
import { replay } from "../replay.ts";
import { withScope } from "../scope.ts";
import { removeDeadNodes } from "../simplify.ts";

/** The graph with every internal operator spelled in standard ones; the graph itself where it has none. */
export function lowerPlain(graph: Graph): Graph {
  return graph.nodes.some((n) => findOperator(n.op)!.lower) ? lowerNodes(graph, () => undefined) : graph;
}

/** Replaces nodes by what `rule` builds, and internal operators that it leaves by their plain spelling. */
export function lowerNodes(graph: Graph, rule: NonNullable<ReplayOptions["node"]>): Graph {
  const lowered = replay(graph, {
    // What lowering adds is named lower/…, so that nodes which stay find their own names free.
    node: (node, inputs, target, current) =>
      withScope(target, `lower/${node.name}`, () => {
        const found = rule(node, inputs, target, current);
        if (found) return found;
        const outputs = node.outputs.map((name) => graph.types.get(name)!);
        return findOperator(node.op)!.lower?.({
          graph: target,
          inputs,
          outputs,
          attributes: node.attributes,
        });
      }),
  });
  restoreOutputNames(lowered, graph.outputs);
  removeDeadNodes(lowered);
  return lowered;
}

/** Gives the outputs of a lowered graph the names they had: sessions are fed and read by name. */
function restoreOutputNames(lowered: Graph, names: readonly string[]): void {
  const renamed = new Map<string, string>();
  names.forEach((name, i) => {
    const now = lowered.outputs[i];
    if (now === name) return;
    const computed = lowered.nodes.some((n) => n.outputs.includes(now));
    if (computed && !renamed.has(now) && !names.includes(now)) renamed.set(now, name);
    else addNode(lowered, "Identity", [valueNamed(lowered, now)], {}, [lowered.types.get(now)!], name);
  });
  const nameOf = (name: string) => renamed.get(name) ?? name;
  for (const [now, name] of renamed) {
    lowered.types.set(name, lowered.types.get(now)!);
    lowered.types.delete(now);
    lowered.batched.delete(now);
  }
  for (const node of lowered.nodes) {
    node.inputs = node.inputs.map(nameOf);
    node.outputs = node.outputs.map(nameOf);
  }
  lowered.outputs = [...names];
}
