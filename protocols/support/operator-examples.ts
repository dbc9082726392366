import type { Graph, Value } from "../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../src/engine/graph.ts";
import * as op from "../../src/engine/operators/index.ts";
import type { Numeric } from "../../src/engine/operators/operator.ts";
import { apply, integers, scalar } from "../../src/engine/operators/operator.ts";
import type { DType } from "../../src/engine/tensor.ts";
import { sizeOf, tensor, toNumbers } from "../../src/engine/tensor.ts";
import { random } from "../../src/random.ts";

/** A graph of one operator with what it is fed. */
export interface Example {
  graph: Graph;
  feeds: Record<string, { dtype: DType } & Numeric>;
}

interface Inputs {
  graph: Graph;
  /** A fed array of normal numbers, mapped into the operator's domain. */
  real(shape: number[], domain?: (v: number) => number): Value;
  /** A fed array of whole numbers below a limit. */
  whole(shape: number[], below: number, dtype?: DType): Value;
}

type Build = (inputs: Inputs) => Value;

const positive = (v: number) => Math.abs(v) + 0.3;
const inside = (v: number) => 0.9 * Math.tanh(v);
const matrix = [3, 5];
const image = [2, 4, 6, 6];

const one =
  (name: string, domain?: (v: number) => number): Build =>
  (i) =>
    apply(i.graph, name, [i.real(matrix, domain)])[0];
const two =
  (name: string): Build =>
  (i) =>
    apply(i.graph, name, [i.real(matrix), i.real([5])])[0];
const logic =
  (name: string): Build =>
  ({ graph, whole }) =>
    apply(graph, name, [whole(matrix, 2, "bool"), whole(matrix, 2, "bool")])[0];
const reduced =
  (name: string): Build =>
  ({ graph, real }) =>
    apply(graph, name, [real([2, 3, 4]), ...(name === "ReduceSum" ? [integers(graph, [1])] : [])], {
      keepdims: 1,
      ...(name !== "ReduceSum" && { axes: [1] }),
    })[0];
const all = (names: string, build: (name: string) => Build) =>
  Object.fromEntries(names.split(" ").map((n) => [n, build(n)]));

const windows = {
  input: [6, 6],
  kernel: [3, 3],
  output: [6, 6],
  strides: [1, 1],
  dilations: [1, 1],
  before: [1, 1],
  after: [1, 1],
};

const builders: Readonly<Record<string, Build>> = {
  ...all(
    "Abs Asinh Atan Ceil Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsNaN LeakyRelu LogSoftmax Neg Relu Round Sigmoid Sign Sin Sinh Softmax Softplus Tanh",
    (n) => one(n),
  ),
  ...all("Log Reciprocal Sqrt", (n) => one(n, positive)),
  ...all("Acos Asin Atanh Tan", (n) => one(n, inside)),
  Acosh: one("Acosh", (v) => 1 + positive(v)),
  ...all("Add Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mul PRelu Sub Sum", two),
  ...all("And Or Xor", logic),
  Not: ({ graph, whole }) => apply(graph, "Not", [whole(matrix, 2, "bool")])[0],
  Pow: ({ real }) => op.pow(real(matrix, positive), real([5])),
  Mod: ({ graph, real }) =>
    apply(graph, "Mod", [real(matrix, positive), real([5], positive)], { fmod: 1 })[0],
  Where: ({ whole, real }) => op.where(whole(matrix, 2, "bool"), real(matrix), real([5])),
  Cast: ({ whole }) => op.cast(whole(matrix, 9, "int32"), "float32"),
  Clip: ({ real }) => op.clip(real(matrix), -0.5, 0.5),
  ...all(
    "ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare",
    reduced,
  ),
  ArgMax: ({ real }) => op.argMax(real(matrix)),
  ArgMin: ({ real }) => op.argMin(real(matrix)),
  CumSum: ({ real }) => op.cumsum(real(matrix)),
  TopK: ({ real }) => op.topK(real(matrix), 2).values,
  Trilu: ({ real }) => op.trilu(real(matrix)),
  MatMul: ({ real }) => op.matmul(real([2, 3, 5]), real([5, 4])),
  Gemm: ({ real }) => op.gemm(real(matrix), real([4, 5]), { c: real([4]), transB: true }),
  // The node itself: `einsum` spells products with MatMul.
  Einsum: ({ graph, real }) =>
    apply(graph, "Einsum", [real([2, 3, 5]), real([2, 5, 4])], { equation: "bij,bjk->bik" })[0],
  Conv: ({ real }) => op.conv(real(image), real([4, 4, 3, 3]), { bias: real([4]), pads: 1 }),
  ConvTranspose: ({ real }) => op.convTranspose(real(image), real([4, 2, 3, 3]), { strides: 2 }),
  ConvInputGradient: ({ real }) => op.convInputGradient(real(image), real([4, 4, 3, 3]), windows, 1),
  ConvWeightGradient: ({ real }) => op.convWeightGradient(real(image), real(image), windows, 1),
  SumByIndex: ({ graph, real }) => {
    const indices = constant(graph, tensor("int32", [5], [0, 2, -1, 2, 1]));
    return apply(graph, "SumByIndex", [real([5, 4]), indices], { shape: [4, 4], axis: 0 })[0];
  },
  MaxPool: ({ real }) => op.maxPool(real(image), 2),
  MaxPoolGradient: ({ graph, real }) =>
    apply(graph, "MaxPoolGradient", [real(image), real([2, 4, 3, 3])], {
      kernel_shape: [2, 2],
      strides: [2, 2],
    })[0],
  MaxUnpool: ({ graph, real }) => {
    const indices = constant(graph, tensor("int64", [1, 1, 2, 2], [0, 3, 9, 14]));
    return apply(graph, "MaxUnpool", [real([1, 1, 2, 2]), indices], {
      kernel_shape: [2, 2],
      strides: [2, 2],
    })[0];
  },
  AveragePool: ({ real }) => op.averagePool(real(image), 2),
  GlobalAveragePool: ({ real }) => op.globalAveragePool(real(image)),
  GlobalMaxPool: ({ real }) => op.globalMaxPool(real(image)),
  BatchNormalization: ({ real }) =>
    op.batchNorm(real(image), real([4]), real([4]), real([4]), real([4], positive)),
  InstanceNormalization: ({ real }) => op.instanceNorm(real(image), real([4]), real([4])),
  LayerNormalization: ({ real }) => op.layerNorm(real(matrix), real([5]), { bias: real([5]) }),
  LRN: ({ real }) => op.localResponseNorm(real(image), 3),
  Gather: ({ real, whole }) => op.gather(real(matrix), whole([4], 3, "int32")),
  GatherElements: ({ real, whole }) => op.gatherElements(real(matrix), whole(matrix, 3, "int32")),
  GatherND: ({ real, whole }) => op.gatherND(real(matrix), whole([4, 1], 3, "int64")),
  ScatterElements: ({ real, whole }) =>
    op.scatterElements(real(matrix), whole([2, 5], 3, "int32"), real([2, 5]), { reduction: "add" }),
  ScatterND: ({ graph, real, whole }) =>
    apply(graph, "ScatterND", [real(matrix), whole([4, 1], 3, "int64"), real([4, 5])], {
      reduction: "add",
    })[0],
  OneHot: ({ whole }) => op.oneHot(whole([4], 3, "int64"), 3),
  Concat: ({ real }) => op.concat([real(matrix), real(matrix)], 1),
  Split: ({ real }) => op.split(real(matrix), [2, 3], 1)[1],
  Slice: ({ real }) => op.slice(real(matrix), { 1: { start: 1, end: 4 } }),
  Pad: ({ real }) => op.pad(real(matrix), [0, 1], [2, 0]),
  Transpose: ({ real }) => op.transpose(real(matrix), [1, 0]),
  Reshape: ({ real }) => op.reshape(real(matrix), [5, 3]),
  Flatten: ({ real }) => op.flatten(real(image)),
  Squeeze: ({ real }) => op.squeeze(real([3, 1, 5]), [1]),
  Unsqueeze: ({ real }) => op.unsqueeze(real(matrix), [1]),
  Expand: ({ real }) => op.expand(real([1, 5]), [3, 5]),
  Tile: ({ real }) => op.tile(real(matrix), [2, 1]),
  DepthToSpace: ({ real }) => op.depthToSpace(real(image), 2),
  SpaceToDepth: ({ real }) => op.spaceToDepth(real(image), 2),
  Resize: ({ real }) => op.resize(real(image), [2, 4, 12, 12]),
  Dropout: ({ graph, real }) => apply(graph, "Dropout", [real(matrix), scalar(graph, 0.5)])[0],
};

/** Operators of shapes and constants: they have become constants when a graph is run. */
export const FOLDED: readonly string[] = ["ConstantOfShape", "EyeLike", "NonZero", "Range", "Shape", "Size"];

/** A small graph of the operator with arguments; undefined where there is none for it. */
export function exampleOf(name: string): Example | undefined {
  const build = builders[name];
  if (!build) return undefined;
  const graph = createGraph(name);
  const rng = random(3);
  const feeds: Example["feeds"] = {};
  const feed = (shape: number[], dtype: DType, make: () => number): Value => {
    const x = input(graph, `x${Object.keys(feeds).length}`, shape, { dtype, batched: false });
    const exact = toNumbers(tensor(dtype, shape, Array.from({ length: sizeOf(shape) }, make)));
    feeds[x.name] = { dtype, shape, data: exact };
    return x;
  };
  const y = build({
    graph,
    real: (shape, domain = (v) => v) => feed(shape, "float32", () => domain(rng.normal())),
    whole: (shape, below, dtype = "int32") => feed(shape, dtype, () => rng.integer(below)),
  });
  output(y, { batched: false });
  return { graph, feeds };
}
