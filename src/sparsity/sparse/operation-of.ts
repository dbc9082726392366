import type { Graph, Node } from "../../engine/graph.ts";
import { initializer } from "../../engine/graph.ts";
import { numberAttribute } from "../../engine/operators/operator.ts";
import { poolWindows } from "../../engine/operators/pooling.ts";
import { windowsOf } from "../../engine/operators/windows.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { sizeOf } from "../../engine/tensor.ts";
import type { AffineOperation, Limits, Operation, PoolOperation, ProductOperation } from "./operations.ts";
import { FREE } from "./operations.ts";

/** The operation of a node; undefined where the program has none for it. */
export function operationOf(graph: Graph, node: Node): Operation | undefined {
  const shape = (name: string): Shape => graph.types.get(name)!.shape;
  const dynamic = node.inputs.filter((name) => name !== "" && !initializer(graph, name));
  const y = node.outputs[0];
  const batch = shape(y)[0];
  const fits = (name: string) => {
    const type = graph.types.get(name)!;
    return type.dtype === "float32" && [2, 4].includes(type.shape.length) && type.shape[0] === batch;
  };
  if (node.outputs.length !== 1 || dynamic.length === 0 || ![y, ...dynamic].every(fits)) return undefined;
  const [x, other] = dynamic;
  const read = reading(graph, node);
  if (dynamic.length > 1) {
    if (node.op === "Concat" && dynamic.length === node.inputs.length && axisOf(node, 0, shape(x)) === 1)
      return { kind: "concat", xs: dynamic, y };
    const sum = (node.op === "Add" || node.op === "Sum") && node.inputs.length === 2;
    return sum && shape(x).join() === shape(other).join() ? { kind: "add", x, other, y, ...FREE } : undefined;
  }
  switch (node.op) {
    case "Conv":
    case "Gemm":
    case "MatMul":
      return node.inputs[0] === x ? productOf(node, shape(x), shape(y), read) : undefined;
    case "Relu":
      return affine(
        x,
        y,
        shape(x)[1],
        () => 1,
        () => 0,
        { ...FREE, low: 0 },
      );
    case "Clip":
      return clipOf(node, x, y, shape(x)[1], read);
    case "BatchNormalization":
      return normalizationOf(node, x, y, shape(x)[1], read);
    case "Add":
    case "Sub":
    case "Mul":
    case "Div":
      return scalingOf(node, x, y, shape(x), shape(y), read);
    case "MaxPool":
    case "AveragePool":
    case "GlobalMaxPool":
    case "GlobalAveragePool":
      return poolOf(node, x, y, shape(x));
    case "Flatten":
    case "Reshape":
    case "Squeeze":
    case "Identity":
    case "Dropout":
      return shape(y).length === 2 || shape(x).join() === shape(y).join()
        ? { kind: "view", x, y }
        : undefined;
    case "Softmax":
      return shape(x).length === 2 && axisOf(node, -1, shape(x)) === 1
        ? { kind: "softmax", x, y }
        : undefined;
  }
  return undefined;
}

/** The tensor of a node's input where it is an initialiser. */
type Read = (input: number) => Tensor<"float32"> | undefined;

function reading(graph: Graph, node: Node): Read {
  return (input) => initializer(graph, node.inputs[input] ?? "") as Tensor<"float32"> | undefined;
}

function axisOf(node: Node, fallback: number, shape: Shape): number {
  const axis = numberAttribute(node.attributes, "axis", fallback);
  return axis < 0 ? axis + shape.length : axis;
}

function productOf(node: Node, x: Shape, y: Shape, read: Read): ProductOperation | undefined {
  const weights = read(1);
  const given = node.inputs[2] ? read(2) : undefined;
  if (!weights || (node.inputs[2] && !given)) return undefined;
  const rows = y[1];
  const common = { kind: "product", x: node.inputs[0], y: node.outputs[0], rows, ...FREE } as const;
  if (node.op === "Conv") {
    if (x.length !== 4) return undefined;
    return {
      ...common,
      weights: weights.data,
      columns: weights.data.length / rows,
      bias: given?.data ?? new Float32Array(rows),
      windows: windowsOf(node.attributes, x.slice(2), weights.shape.slice(2)),
      group: numberAttribute(node.attributes, "group", 1),
    };
  }
  if (x.length !== 2 || weights.shape.length !== 2 || node.attributes.transA === 1) return undefined;
  if (given && given.data.length !== 1 && (given.data.length !== rows || given.shape.at(-1) !== rows))
    return undefined;
  const alpha = numberAttribute(node.attributes, "alpha", 1);
  const beta = numberAttribute(node.attributes, "beta", 1);
  const columns = x[1];
  const turned = node.attributes.transB === 1;
  return {
    ...common,
    columns,
    weights:
      turned && alpha === 1
        ? weights.data
        : Float32Array.from({ length: rows * columns }, (_, i) => {
            const [row, column] = [Math.floor(i / columns), i % columns];
            return alpha * weights.data[turned ? i : column * rows + row];
          }),
    bias: Float32Array.from({ length: rows }, (_, i) =>
      given ? beta * given.data[given.data.length === 1 ? 0 : i] : 0,
    ),
    group: 1,
  };
}

function affine(
  x: string,
  y: string,
  channels: number,
  factor: (channel: number) => number,
  offset: (channel: number) => number,
  limits: Limits = FREE,
): AffineOperation {
  return {
    kind: "affine",
    x,
    y,
    factor: Float32Array.from({ length: channels }, (_, c) => factor(c)),
    offset: Float32Array.from({ length: channels }, (_, c) => offset(c)),
    ...limits,
  };
}

function clipOf(node: Node, x: string, y: string, channels: number, read: Read): Operation | undefined {
  if ([1, 2].some((i) => node.inputs[i] && !read(i))) return undefined;
  const low = read(1)?.data[0] ?? FREE.low;
  const high = read(2)?.data[0] ?? FREE.high;
  return affine(
    x,
    y,
    channels,
    () => 1,
    () => 0,
    { low, high },
  );
}

function normalizationOf(node: Node, x: string, y: string, channels: number, read: Read) {
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => read(i)?.data);
  if (!scale || !bias || !mean || !variance || node.attributes.training_mode === 1) return undefined;
  const epsilon = numberAttribute(node.attributes, "epsilon", 1e-5);
  const factor = (c: number) => scale[c] / Math.sqrt(variance[c] + epsilon);
  return affine(x, y, channels, factor, (c) => bias[c] - mean[c] * factor(c));
}

/** Arithmetic with a constant that has one number, or one a channel. */
function scalingOf(node: Node, x: string, y: string, shape: Shape, result: Shape, read: Read) {
  const side = node.inputs[0] === x ? 1 : 0;
  const operand = read(side);
  const channels = shape[1];
  if (operand?.dtype !== "float32" || shape.join() !== result.join()) return undefined;
  const aligned = [
    ...new Array<number>(Math.max(0, shape.length - operand.shape.length)).fill(1),
    ...operand.shape,
  ];
  if (aligned.some((d, axis) => d !== 1 && axis !== 1)) return undefined;
  const c = (channel: number) => operand.data[operand.data.length === 1 ? 0 : channel];
  switch (node.op) {
    case "Add":
      return affine(x, y, channels, () => 1, c);
    case "Mul":
      return affine(x, y, channels, c, () => 0);
    case "Sub":
      return side === 1
        ? affine(
            x,
            y,
            channels,
            () => 1,
            (i) => -c(i),
          )
        : affine(x, y, channels, () => -1, c);
    default:
      return side === 1
        ? affine(
            x,
            y,
            channels,
            (i) => 1 / c(i),
            () => 0,
          )
        : undefined;
  }
}

function poolOf(node: Node, x: string, y: string, shape: Shape): PoolOperation | undefined {
  if (shape.length !== 4) return undefined;
  const average = node.op.endsWith("AveragePool");
  if (node.op.startsWith("Global")) {
    const spatial = shape.slice(2);
    return { kind: "pool", x, y, average, whole: 0, windows: windowsOf({}, spatial, spatial) };
  }
  const windows = poolWindows(node.attributes, shape);
  const countsPadding = average && numberAttribute(node.attributes, "count_include_pad", 0) === 1;
  // Cells that rounding up reaches beyond the padding never count: then the divisor differs from window to window.
  if (countsPadding && node.attributes.ceil_mode === 1) return undefined;
  return { kind: "pool", x, y, average, whole: countsPadding ? sizeOf(windows.kernel) : 0, windows };
}
