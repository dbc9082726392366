import type { Graph, Node } from "../engine/graph.ts";
import { initializer } from "../engine/graph.ts";
import { stringAttribute } from "../engine/operators/operator.ts";
import type { Shape } from "../engine/tensor.ts";
import { bytesPerElement, sizeOf } from "../engine/tensor.ts";
import { layerName } from "./layers.ts";

export interface Cost {
  /** Trainable numbers. */
  parameters: number;
  /** Those that are not exactly zero. */
  nonZeros: number;
  /** Multiply-accumulates of one sample in convolutions and matrix products; elementwise work does not count. */
  macs: number;
  /** Memory of all initialisers, statistics and other float constants included. */
  bytes: number;
}

export interface LayerCost extends Cost {
  name: string;
  op: string;
  /** Of the first output, batch included. */
  outputShape: Shape;
}

export interface ModelCost {
  /** Nodes that have parameters or multiply, in graph order. */
  layers: readonly LayerCost[];
  total: Cost;
}

/**
 * What a graph costs, layer by layer. An initialiser that several nodes read counts for the first of them; a product
 * counts for each sample of the batch alone when it depends on a batched input.
 */
export function accountModel(graph: Graph): ModelCost {
  const batch = batchOf(graph);
  const batched = new Set(graph.inputs.filter((name) => graph.batched.has(name)));
  const counted = new Set<string>();
  const layers: LayerCost[] = [];
  for (const node of graph.nodes) {
    const fed = node.inputs.some((name) => batched.has(name));
    if (fed) for (const name of node.outputs) batched.add(name);
    const own = node.inputs.filter((name) => initializer(graph, name) && !counted.has(name));
    for (const name of own) counted.add(name);
    const cost = storageOf(graph, own);
    const macs = multiplications(graph, node) / (fed ? batch : 1);
    if (cost.parameters === 0 && macs === 0) continue;
    const outputShape = graph.types.get(node.outputs[0])!.shape;
    layers.push({ name: layerName(graph, node), op: node.op, outputShape, ...cost, macs });
  }
  const every = storageOf(graph, [...graph.parameters.keys(), ...graph.constants.keys()]);
  return { layers, total: { ...every, macs: layers.reduce((sum, l) => sum + l.macs, 0) } };
}

function batchOf(graph: Graph): number {
  const first = graph.inputs.find((name) => graph.batched.has(name));
  return first === undefined ? 1 : graph.types.get(first)!.shape[0];
}

function storageOf(graph: Graph, names: readonly string[]): Omit<Cost, "macs"> {
  let [parameters, nonZeros, bytes] = [0, 0, 0];
  for (const name of names) {
    const { dtype, data } = initializer(graph, name)!;
    if (dtype.startsWith("float")) bytes += data.length * bytesPerElement(dtype);
    const weights = graph.parameters.get(name)?.data;
    if (!weights) continue;
    parameters += weights.length;
    for (const w of weights) if (w !== 0) nonZeros++;
  }
  return { parameters, nonZeros, bytes };
}

/** Multiply-accumulates of a node for the whole batch; taps that fall on padding count, as everywhere in the literature. */
function multiplications(graph: Graph, node: Node): number {
  const shapeOf = (name: string) => graph.types.get(name)!.shape;
  const [x, w] = node.inputs.map((name) => (name === "" ? [] : shapeOf(name)));
  const made = shapeOf(node.outputs[0]);
  switch (node.op) {
    case "Conv":
      return sizeOf(made) * sizeOf(w.slice(1));
    case "ConvTranspose":
      return sizeOf(x) * sizeOf(w.slice(1));
    case "MatMul":
      return sizeOf(made) * x[x.length - 1];
    case "Gemm":
      return sizeOf(made) * (node.attributes.transA === 1 ? x[0] : x[1]);
    case "Einsum":
      return einsumSize(stringAttribute(node.attributes, "equation", ""), node.inputs.map(shapeOf));
    default:
      return 0;
  }
}

/** The product of the lengths of all indices of an equation; axes behind an ellipsis align from the right. */
function einsumSize(equation: string, shapes: readonly Shape[]): number {
  const terms = equation.replaceAll(" ", "").split("->")[0].split(",");
  const lengths = new Map<string, number>();
  terms.forEach((term, i) => {
    const [head, tail] = term.split("...");
    const hidden = shapes[i].length - head.length - (tail?.length ?? 0);
    const labels = [
      ...head,
      ...Array.from({ length: hidden }, (_, k) => `...${hidden - k}`),
      ...(tail ?? ""),
    ];
    labels.forEach((label, axis) => lengths.set(label, Math.max(lengths.get(label) ?? 1, shapes[i][axis])));
  });
  return sizeOf([...lengths.values()]);
}
