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
  /** Name of its node in the graph. */
  node: string;
  op: string;
  /** Of the first output, batch included. */
  outputShape: Shape;
}

export interface ModelCost {
  /** Nodes that have parameters or multiply, in graph order. */
  layers: readonly LayerCost[];
  total: Cost;
}

/** One axis of a value. */
export interface AxisOf {
  value: string;
  axis: number;
}

/** A node that multiplies: a multiply-accumulate for every combination of indices of these axes. */
export interface Product {
  node: Node;
  axes: readonly AxisOf[];
  /** Samples that the node works on at once. */
  samples: number;
}

/**
 * What a graph costs, layer by layer. An initialiser that several nodes read counts for the first of them; a product
 * counts for each sample of the batch alone when it depends on a batched input.
 */
export function accountModel(graph: Graph): ModelCost {
  const counted = new Set<string>();
  const products = new Map(productsOf(graph).map((p) => [p.node, p]));
  const lengthOf = ({ value, axis }: AxisOf) => graph.types.get(value)!.shape[axis];
  const layers: LayerCost[] = [];
  for (const node of graph.nodes) {
    const own = node.inputs.filter((name) => initializer(graph, name) && !counted.has(name));
    for (const name of own) counted.add(name);
    const cost = storageOf(graph, own);
    const product = products.get(node);
    const macs = product ? sizeOf(product.axes.map(lengthOf)) / product.samples : 0;
    if (cost.parameters === 0 && macs === 0) continue;
    const outputShape = graph.types.get(node.outputs[0])!.shape;
    layers.push({ name: layerName(graph, node), node: node.name, op: node.op, outputShape, ...cost, macs });
  }
  const every = storageOf(graph, [...graph.parameters.keys(), ...graph.constants.keys()]);
  return { layers, total: { ...every, macs: layers.reduce((sum, l) => sum + l.macs, 0) } };
}

/** The nodes that multiply, in graph order; taps that fall on padding count, as everywhere in the literature. */
export function productsOf(graph: Graph): Product[] {
  const { values, batch } = batchedValues(graph);
  return graph.nodes.flatMap((node) => {
    const axes = multipliedAxes(graph, node);
    return axes ? [{ node, axes, samples: values.has(node.outputs[0]) ? batch : 1 }] : [];
  });
}

/** The samples that the graph works on at once, and the values that hold something of each. */
export function batchedValues(graph: Graph): { values: ReadonlySet<string>; batch: number } {
  const first = graph.inputs.find((name) => graph.batched.has(name));
  const batch = first === undefined ? 1 : graph.types.get(first)!.shape[0];
  const values = new Set(graph.inputs.filter((name) => graph.batched.has(name)));
  for (const node of graph.nodes)
    if (node.inputs.some((name) => values.has(name))) for (const name of node.outputs) values.add(name);
  return { values, batch };
}

function storageOf(graph: Graph, names: readonly string[]): Omit<Cost, "macs"> {
  let [parameters, nonZeros, bytes] = [0, 0, 0];
  for (const name of names) {
    const { dtype, data } = initializer(graph, name)!;
    if (dtype.startsWith("float")) bytes += data.length * bytesPerElement(dtype);
    const weights = graph.parameters.get(name)?.data;
    if (!weights) continue;
    parameters += weights.length;
    for (let i = 0; i < weights.length; i++) if (weights[i] !== 0) nonZeros++;
  }
  return { parameters, nonZeros, bytes };
}

/** The axes whose lengths multiply to the node's work; undefined where it multiplies nothing. */
function multipliedAxes(graph: Graph, { op, inputs, outputs, attributes }: Node): AxisOf[] | undefined {
  const axesOf = (value: string, from = 0) =>
    graph.types
      .get(value)!
      .shape.map((_, axis) => ({ value, axis }))
      .slice(from);
  const [x, w] = inputs;
  const [made] = outputs;
  switch (op) {
    case "Conv":
      return [...axesOf(made), ...axesOf(w, 1)];
    case "ConvTranspose":
      return [...axesOf(x), ...axesOf(w, 1)];
    case "MatMul":
      return [...axesOf(made), axesOf(x).at(-1)!];
    case "Gemm":
      return [...axesOf(made), { value: x, axis: attributes.transA === 1 ? 0 : 1 }];
    case "Einsum":
      return einsumAxes(graph, stringAttribute(attributes, "equation", ""), inputs);
    default:
      return undefined;
  }
}

/** For every index of an equation its longest axis; axes behind an ellipsis align from the right. */
function einsumAxes(graph: Graph, equation: string, inputs: readonly string[]): AxisOf[] {
  const terms = equation.replaceAll(" ", "").split("->")[0].split(",");
  const longest = new Map<string, AxisOf>();
  const lengthOf = ({ value, axis }: AxisOf) => graph.types.get(value)!.shape[axis];
  terms.forEach((term, i) => {
    const [head, tail] = term.split("...");
    const rank = graph.types.get(inputs[i])!.shape.length;
    const hidden = rank - head.length - (tail?.length ?? 0);
    const labels = [
      ...head,
      ...Array.from({ length: hidden }, (_, k) => `...${hidden - k}`),
      ...(tail ?? ""),
    ];
    labels.forEach((label, axis) => {
      const own = { value: inputs[i], axis };
      const known = longest.get(label);
      if (!known || lengthOf(own) > lengthOf(known)) longest.set(label, own);
    });
  });
  return [...longest.values()];
}
