import type { Graph } from "../../engine/graph.ts";
import { consumers, initializer } from "../../engine/graph.ts";
import { findOperator } from "../../engine/operators/operator.ts";
import { tensor, toNumbers } from "../../engine/tensor.ts";

/**
 * Stores those parameters that a layer reads through a `Transpose` or `Reshape` alone as the layer reads them, under their
 * own names; in place. A file then holds plain weights, which whoever reads it can train or factor again.
 */
export function storeAsRead(graph: Graph, parameters: ReadonlySet<string>): void {
  const readers = consumers(graph);
  const moved = new Map<string, string>();
  graph.nodes = graph.nodes.filter((node) => {
    node.inputs = node.inputs.map((name) => moved.get(name) ?? name);
    const [name, ...others] = node.inputs;
    const [out] = node.outputs;
    if (!parameters.has(name) || !["Transpose", "Reshape"].includes(node.op)) return true;
    if (!others.every((o) => graph.constants.has(o)) || readers.get(name)!.length > 1) return true;
    const type = graph.types.get(out)!;
    const [{ data }] = findOperator(node.op)!.evaluate({
      inputs: node.inputs.map((i) => {
        const t = initializer(graph, i)!;
        return { shape: t.shape, data: toNumbers(t) };
      }),
      inputTypes: node.inputs.map((i) => graph.types.get(i)!),
      outputTypes: [type],
      attributes: node.attributes,
    });
    graph.parameters.set(name, tensor("float32", type.shape, Float32Array.from(data)));
    graph.types.set(name, type);
    graph.types.delete(out);
    moved.set(out, name);
    readers.set(name, readers.get(out) ?? []);
    return false;
  });
}
