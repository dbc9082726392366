import type { Graph, Node } from "../engine/graph.ts";
import { cloneGraph, consumers, freshName, initializer, parameter, producers } from "../engine/graph.ts";
import { numberAttribute } from "../engine/operators/operator.ts";
import type { Tensor } from "../engine/tensor.ts";
import { sizeOf } from "../engine/tensor.ts";

/**
 * A network that computes the same at inference without the batch norms that follow a convolution: these scale and move each
 * filter, so its weights and its bias can take that over (Jacob et al. 2018, equation 14). A convolution whose output something
 * else reads too, or whose weights another node reads, keeps its batch norm.
 */
export function foldBatchNorm(original: Graph): Graph {
  const graph = cloneGraph(original);
  const makers = producers(graph);
  const readers = consumers(graph);
  const readOnce = (name: string) => readers.get(name)?.length === 1 && !graph.outputs.includes(name);
  const folded = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.op !== "BatchNormalization" || node.attributes.training_mode === 1) continue;
    const conv = makers.get(node.inputs[0]);
    if (conv?.op !== "Conv" || !readOnce(node.inputs[0])) continue;
    const [, weightName, biasName] = conv.inputs;
    const weight = graph.parameters.get(weightName);
    const bias = biasName ? graph.parameters.get(biasName) : undefined;
    const vectors = node.inputs.slice(1).map((name) => initializer(graph, name)?.data as Float32Array);
    if (!weight || !readOnce(weightName) || vectors.includes(undefined!)) continue;
    if (biasName && !(bias && readOnce(biasName))) continue;

    const [scale, shift, mean, variance] = vectors;
    const epsilon = numberAttribute(node.attributes, "epsilon", 1e-5);
    const factors = Float64Array.from(scale, (s, i) => s / Math.sqrt(variance[i] + epsilon));
    const size = sizeOf(weight.shape.slice(1));
    graph.parameters.set(weightName, {
      ...weight,
      data: weight.data.map((w, i) => w * factors[Math.floor(i / size)]),
    });
    const moved: Tensor<"float32"> = {
      dtype: "float32",
      shape: [scale.length],
      data: Float32Array.from(shift, (b, i) => b + ((bias?.data[i] ?? 0) - mean[i]) * factors[i]),
    };
    if (biasName) graph.parameters.set(biasName, moved);
    else
      conv.inputs = [
        ...conv.inputs.slice(0, 2),
        parameter(graph, freshName(graph, weightName.replace(/(\.weight)?$/, ".bias")), moved).name,
      ];
    graph.types.delete(conv.outputs[0]);
    graph.batched.delete(conv.outputs[0]);
    conv.outputs = [node.outputs[0]];
    for (const name of node.inputs.slice(1)) if (readOnce(name)) forget(graph, name);
    folded.add(node);
  }
  graph.nodes = graph.nodes.filter((node) => !folded.has(node));
  return graph;
}

function forget(graph: Graph, name: string): void {
  graph.parameters.delete(name);
  graph.constants.delete(name);
  graph.types.delete(name);
}
