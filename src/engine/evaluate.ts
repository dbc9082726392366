import type { Graph } from "./graph.ts";
import type { Numeric } from "./operators/operator.ts";
import { findOperator } from "./operators/operator.ts";
import { toNumbers } from "./tensor.ts";

/**
 * Runs a graph in double precision with plain loops: slow, independent of any runtime, the same everywhere. It folds
 * constants at import and is the oracle that gradients and runtimes are tested against.
 */
export function evaluate(
  graph: Graph,
  feeds: Readonly<Record<string, Numeric>>,
  outputs: readonly string[] = graph.outputs,
): Record<string, Numeric> {
  const values = new Map<string, Numeric>();
  for (const [name, t] of [...graph.parameters, ...graph.constants])
    values.set(name, { shape: t.shape, data: toNumbers(t) });
  for (const [name, value] of Object.entries(feeds)) values.set(name, value);
  const needed = neededNodes(graph, outputs);
  for (const node of graph.nodes) {
    if (!needed.has(node.name)) continue;
    const results = findOperator(node.op)!.evaluate({
      inputs: node.inputs.map((i) => {
        if (i !== "" && !values.has(i))
          throw new Error(`value "${i}", read by node "${node.name}", was not fed`);
        return values.get(i)!;
      }),
      inputTypes: node.inputs.map((i) => graph.types.get(i)!),
      outputTypes: node.outputs.map((o) => graph.types.get(o)!),
      attributes: node.attributes,
    });
    for (const [i, o] of node.outputs.entries()) values.set(o, results[i]);
  }
  return Object.fromEntries(outputs.map((o) => [o, values.get(o)!]));
}

/** Names of the nodes that the given values depend on. */
export function neededNodes(graph: Graph, outputs: readonly string[]): Set<string> {
  const wanted = new Set(outputs);
  const nodes = new Set<string>();
  for (const node of [...graph.nodes].reverse())
    if (node.outputs.some((o) => wanted.has(o))) {
      nodes.add(node.name);
      for (const i of node.inputs) wanted.add(i);
    }
  return nodes;
}
