import type { Graph } from "../engine/graph.ts";
import { initializer } from "../engine/graph.ts";
import { bytesPerElement, sizeOf } from "../engine/tensor.ts";
import { batchedValues } from "./accounting.ts";

/**
 * The most memory, in bytes, that inputs and intermediate values of one sample take at once, when nodes run in graph order
 * and a value goes after its last reader; weights are not counted. A node's outputs count beside its inputs: runtimes that
 * write them over each other, or join nodes, need less.
 */
export function peakActivationBytes(graph: Graph): number {
  const { values, batch } = batchedValues(graph);
  const bytesOf = (name: string) => {
    const { dtype, shape } = graph.types.get(name)!;
    return (sizeOf(shape) * bytesPerElement(dtype)) / (values.has(name) ? batch : 1);
  };
  const readers = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap((n) => n.inputs), ...graph.outputs])
    readers.set(name, (readers.get(name) ?? 0) + 1);
  const sum = (names: readonly string[]) => names.reduce((bytes, name) => bytes + bytesOf(name), 0);
  let alive = sum(graph.inputs);
  let peak = alive;
  for (const node of graph.nodes) {
    alive += sum(node.outputs.filter((name) => name !== ""));
    peak = Math.max(peak, alive);
    for (const name of node.inputs) {
      const left = readers.get(name)! - 1;
      readers.set(name, left);
      if (left === 0 && name !== "" && !initializer(graph, name)) alive -= bytesOf(name);
    }
    for (const name of node.outputs) if (name !== "" && !readers.has(name)) alive -= bytesOf(name);
  }
  return peak;
}
