import type { Graph } from "../engine/graph.ts";
import { consumers, producers } from "../engine/graph.ts";
import { sizeOf } from "../engine/tensor.ts";
import type { WeightLayout } from "./lines.ts";

/**
 * Whether neighbours along the lines of a layer are neighbours in what it reads: pixels, places of feature maps and taps of
 * kernels are; neurons have no order. What a network is fed counts as ordered.
 */
export function hasOrderedColumns(graph: Graph, { parameter }: Pick<WeightLayout, "parameter">): boolean {
  const readers = consumers(graph);
  const makers = producers(graph);
  let [node] = readers.get(parameter)!;
  if (node.op === "Transpose") [node] = readers.get(node.outputs[0])!;
  if (node.op === "Conv") return true;
  for (let value = node.inputs[0]; ; ) {
    const { shape } = graph.types.get(value)!;
    // Places come after samples and channels.
    if (shape.length > 2) return sizeOf(shape.slice(2)) > 1;
    const maker = makers.get(value);
    if (!maker) return true;
    if (maker.op === "Gemm" || maker.op === "MatMul") return false;
    [value] = maker.inputs;
  }
}
