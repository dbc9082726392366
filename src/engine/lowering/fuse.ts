import type { Graph, Node } from "../graph.ts";
import { consumers, producers } from "../graph.ts";

/**
 * Lets blocked convolutions do the sum and the ReLU that follow them, which saves a pass over memory each. A residual
 * sum, the sum of two gradients and the affine map of a normalisation all end in such a pair.
 */
export function fuseBlocked(graph: Graph): void {
  fuseWith(graph, ["Add", "Sum"], (conv, node) => {
    const [a, b] = node.inputs;
    if (node.inputs.length !== 2 || a === b || conv.inputs.length > 3 || conv.attributes.activation) return;
    const other = a === conv.outputs[0] ? b : a;
    if (graph.types.get(other)!.shape.join() !== graph.types.get(conv.outputs[0])!.shape.join()) return;
    const [x, w, bias = ""] = conv.inputs;
    return { ...conv, inputs: [x, w, bias, other] };
  });
  fuseWith(graph, ["Relu"], (conv) =>
    conv.attributes.activation
      ? undefined
      : { ...conv, attributes: { ...conv.attributes, activation: "Relu" } },
  );
}

/** Replaces a node of `ops` whose operand is a blocked convolution that nothing else reads by what `merge` gives. */
function fuseWith(
  graph: Graph,
  ops: readonly string[],
  merge: (conv: Node, node: Node) => Node | undefined,
): void {
  const readers = consumers(graph);
  const outputs = new Set(graph.outputs);
  const producer = producers(graph);
  const merged = new Set<Node>();
  graph.nodes = graph.nodes.map((node) => {
    if (!ops.includes(node.op)) return node;
    for (const name of node.inputs) {
      const conv = producer.get(name);
      if (conv?.op !== "BlockedConv" || merged.has(conv)) continue;
      if (outputs.has(name) || readers.get(name)!.length !== 1) continue;
      const fused = merge(conv, node);
      if (!fused) continue;
      merged.add(conv);
      graph.types.delete(name);
      const result = { ...fused, name: node.name, outputs: node.outputs };
      producer.set(node.outputs[0], result);
      return result;
    }
    return node;
  });
  graph.nodes = graph.nodes.filter((node) => !merged.has(node));
}
