import type { Graph, Node, Value } from "../engine/graph.ts";
import { initializer } from "../engine/graph.ts";
import { concat, gather, pad, slice } from "../engine/operators/index.ts";
import { apply, numberAttribute } from "../engine/operators/operator.ts";
import { windowsOf } from "../engine/operators/windows.ts";
import { replay } from "../engine/replay.ts";
import { forEachIndex } from "../engine/shapes.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { sizeOf } from "../engine/tensor.ts";

/**
 * How a layer computes without columns that are zero in all its rows. `whole`: it multiplies by them; `window`: by a
 * smaller window over the input channels in use; `gather`: the columns in use are put together, then multiplied.
 */
export type ColumnForm = "whole" | "window" | "gather";

/** One way to write a layer. */
export interface LayerForm {
  form: ColumnForm;
  weights: Tensor<"float32">;
  /** The layer's result from its inputs, the new weights among them. */
  build(inputs: readonly (Value | undefined)[], target: Graph): Value[];
}

/**
 * The forms besides `whole` that a layer can be written in, and how many columns of its matrix [outputs, input channels ×
 * window] are not zero; undefined where there is nothing to leave out.
 *
 * @param readers of each value of the graph.
 */
export function columnForms(
  graph: Graph,
  node: Node,
  readers: ReadonlyMap<string, Node[]>,
): { forms: LayerForm[]; columns: number; used: number } | undefined {
  const product = productOf(graph, node, readers);
  if (!product) return undefined;
  return {
    forms: node.op === "Conv" ? convolutions(node, product) : [linear(node, product)],
    columns: product.used.length,
    used: product.used.reduce((sum, u) => sum + u, 0),
  };
}

/** The graph with these layers, by the names of their nodes, in other forms. */
export function withForms(graph: Graph, forms: ReadonlyMap<string, LayerForm>): Graph {
  const weights = new Map(
    graph.nodes.flatMap((n) =>
      forms.has(n.name) ? [[n.inputs[1], forms.get(n.name)!.weights] as const] : [],
    ),
  );
  return replay(graph, {
    tensor: (name, t) => weights.get(name) ?? t,
    node: (node, inputs, target) => forms.get(node.name)?.build(inputs, target),
  });
}

/** A layer as a matrix of weights [outputs, channels × taps]. */
interface Product {
  weights: Tensor<"float32">;
  outputs: number;
  channels: number;
  /** Window of a convolution; empty for a linear layer. */
  kernel: Shape;
  /** In memory the outputs come first. */
  outputsFirst: boolean;
  /** 1 or 0 for each column, [channels, taps]. */
  used: Uint8Array;
}

/** The layer's matrix where it has columns to leave out, and weights of its own. */
function productOf(graph: Graph, node: Node, readers: ReadonlyMap<string, Node[]>): Product | undefined {
  const weights = initializer(graph, node.inputs[1] ?? "");
  if (weights?.dtype !== "float32" || initializer(graph, node.inputs[0])) return undefined;
  if (readers.get(node.inputs[1])!.length > 1) return undefined;
  const turned = node.attributes.transB === 1;
  const matrix = matrixOf(node, weights.shape, turned);
  if (!matrix) return undefined;
  const { outputs, channels, kernel, outputsFirst } = matrix;
  const columns = channels * sizeOf(kernel);
  const used = new Uint8Array(columns);
  for (let o = 0; o < outputs; o++)
    for (let c = 0; c < columns; c++)
      if (weights.data[outputsFirst ? o * columns + c : c * outputs + o] !== 0) used[c] = 1;
  const count = used.reduce((sum, u) => sum + u, 0);
  return count === 0 || count === columns
    ? undefined
    : { ...matrix, weights: weights as Tensor<"float32">, used };
}

function matrixOf(node: Node, shape: Shape, turned: boolean): Omit<Product, "weights" | "used"> | undefined {
  if (node.op === "Conv" && numberAttribute(node.attributes, "group", 1) === 1) {
    const [outputs, channels, ...kernel] = shape;
    return { outputs, channels, kernel, outputsFirst: true };
  }
  if (!(node.op === "Gemm" && node.attributes.transA !== 1) && node.op !== "MatMul") return undefined;
  if (shape.length !== 2) return undefined;
  const [outputs, channels] = turned ? shape : [shape[1], shape[0]];
  return { outputs, channels, kernel: [], outputsFirst: turned };
}

function linear(node: Node, product: Product): LayerForm {
  const columns = [...product.used.keys()].filter((c) => product.used[c]);
  const { outputs, outputsFirst } = product;
  const shape = outputsFirst ? [outputs, columns.length] : [columns.length, outputs];
  return {
    form: "gather",
    weights: columnsOf(product, columns, shape),
    build: ([x, ...others], target) =>
      again(node, [gather(x!, columns, x!.shape.length - 1), ...others], node.attributes, target),
  };
}

/** The weights of some columns, in their order. */
function columnsOf(
  { weights, outputs, outputsFirst, used }: Product,
  columns: readonly number[],
  shape: Shape,
) {
  const data = new Float32Array(outputs * columns.length);
  for (let o = 0; o < outputs; o++)
    columns.forEach((c, i) => {
      if (outputsFirst) data[o * columns.length + i] = weights.data[o * used.length + c];
      else data[i * outputs + o] = weights.data[c * outputs + o];
    });
  return { dtype: "float32", shape, data } as const;
}

/** The node with other inputs and attributes; its result keeps its name. */
function again(
  node: Node,
  inputs: readonly (Value | undefined)[],
  attributes: Node["attributes"],
  target: Graph,
) {
  return apply(target, node.op, inputs, attributes, { name: node.outputs[0] });
}

function convolutions(node: Node, product: Product): LayerForm[] {
  const { channels, kernel, outputs, used } = product;
  const taps: number[][] = [];
  forEachIndex(kernel, (at) => taps.push([...at]));
  const isUsed = (channel: number, tap: number) => used[channel * taps.length + tap] === 1;
  const all = Array.from({ length: channels }, (_, c) => c);
  const inUse = all.filter((c) => taps.some((_, t) => isUsed(c, t)));
  const read = taps.flatMap((at, t) => (all.some((c) => isUsed(c, t)) ? [at] : []));
  const low = kernel.map((_, i) => Math.min(...read.map((at) => at[i])));
  const high = kernel.map((_, i) => Math.max(...read.map((at) => at[i])));
  const inside = taps.flatMap((at, t) => (at.every((k, i) => k >= low[i] && k <= high[i]) ? [t] : []));
  const forms: LayerForm[] = [];
  const column = (c: number, t: number) => c * taps.length + t;
  if (inUse.length * inside.length < used.length) {
    const box = low.map((l, i) => high[i] - l + 1);
    const columns = inUse.flatMap((c) => inside.map((t) => column(c, t)));
    forms.push({
      form: "window",
      weights: columnsOf(product, columns, [outputs, inUse.length, ...box]),
      build: ([x, ...others], target) => {
        const fewer = inUse.length < channels ? gather(x!, inUse, 1) : x!;
        const { cut, attributes } = smallerWindow(node, fewer, kernel, low, high);
        return again(node, [cut, ...others], attributes, target);
      },
    });
  }
  const count = used.reduce((sum, u) => sum + u, 0);
  if (count < inUse.length * inside.length) {
    const byTap = taps.map((at, t) => ({ at, of: all.filter((c) => isUsed(c, t)) }));
    const columns = byTap.flatMap(({ of }, t) => of.map((c) => column(c, t)));
    forms.push({
      form: "gather",
      weights: columnsOf(product, columns, [outputs, columns.length, ...kernel.map(() => 1)]),
      build: ([x, ...others], target) =>
        again(node, [patches(node, x!, kernel, byTap), ...others], {}, target),
    });
  }
  return forms;
}

/** What a window of the taps `low` to `high` reads, and where it lies: pads it loses are cut off the input. */
function smallerWindow(node: Node, x: Value, kernel: Shape, low: readonly number[], high: readonly number[]) {
  const { strides, dilations, before, after } = windowsOf(node.attributes, x.shape.slice(2), kernel);
  const first = before.map((b, i) => b - low[i] * dilations[i]);
  const last = after.map((a, i) => a - (kernel[i] - 1 - high[i]) * dilations[i]);
  const ranges = Object.fromEntries(
    kernel.flatMap((_, i) =>
      first[i] < 0 || last[i] < 0
        ? [[i + 2, { start: Math.max(0, -first[i]), end: x.shape[i + 2] - Math.max(0, -last[i]) }]]
        : [],
    ),
  );
  return {
    cut: Object.keys(ranges).length > 0 ? slice(x, ranges) : x,
    attributes: {
      strides: [...strides],
      dilations: [...dilations],
      pads: [...first, ...last].map((p) => Math.max(0, p)),
    },
  };
}

/** [n, columns, windows…]: of each tap, what every window finds there in the channels that are used with it. */
function patches(
  node: Node,
  x: Value,
  kernel: Shape,
  byTap: readonly { at: readonly number[]; of: readonly number[] }[],
): Value {
  const { strides, dilations, before, after, output } = windowsOf(node.attributes, x.shape.slice(2), kernel);
  const padded = pad(x, [0, 0, ...before], [0, 0, ...after]);
  return concat(
    byTap.flatMap(({ at, of }) => {
      if (of.length === 0) return [];
      const ranges = at.map((k, i) => {
        const start = k * dilations[i];
        return [i + 2, { start, end: start + (output[i] - 1) * strides[i] + 1, step: strides[i] }] as const;
      });
      const seen = slice(padded, Object.fromEntries(ranges));
      return [of.length < x.shape[1] ? gather(seen, of, 1) : seen];
    }),
    1,
  );
}
