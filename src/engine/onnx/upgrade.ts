import { Problem } from "../../problem.ts";
import type { Attributes, Graph, Value } from "../graph.ts";
import { constant } from "../graph.ts";
import {
  expand,
  flatten,
  groupNorm,
  mul,
  reshape,
  rmsNorm,
  sigmoid,
  softplus,
  tanh,
} from "../operators/index.ts";
import { apply, integers, scalar } from "../operators/operator.ts";
import type { Tensor } from "../tensor.ts";
import { sizeOf, tensor, toNumbers } from "../tensor.ts";
import { attention } from "./attention.ts";

/** One node as an older or newer opset spells it, its inputs already in the graph. */
export interface ForeignNode {
  graph: Graph;
  op: string;
  opset: number;
  name: string;
  inputs: (Value | undefined)[];
  attributes: Record<string, Attributes[string]>;
  outputCount: number;
}

/** Rewrites a node into the operators of opset 17; undefined where the spelling did not change. */
type Upgrade = (node: ForeignNode) => Value[] | undefined;

const numbers = (node: ForeignNode, name: string) => node.attributes[name] as readonly number[] | undefined;
const number = (node: ForeignNode, name: string) => node.attributes[name] as number | undefined;

function emit(node: ForeignNode, op: string, inputs: (Value | undefined)[], attributes: Attributes): Value[] {
  return apply(node.graph, op, inputs, attributes, { name: node.name, outputCount: node.outputCount });
}

function without(attributes: Attributes, ...names: string[]): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => !names.includes(key)));
}

function constantNumbers(node: ForeignNode, i: number, what: string): number[] | undefined {
  const value = node.inputs[i];
  if (!value) return undefined;
  const found = node.graph.constants.get(value.name);
  if (!found) throw new Error(`its ${what} are computed at run time; Filigree needs them constant`);
  return [...toNumbers(found)];
}

/** Axes that were an attribute and became an input. */
const axesToInput: Upgrade = (node) => {
  const axes = numbers(node, "axes");
  if (!axes) return undefined;
  return emit(node, node.op, [node.inputs[0], integers(node.graph, axes)], without(node.attributes, "axes"));
};

/** Axes that became an input in opset 18 and are an attribute in 17. */
const axesToAttribute: Upgrade = (node) => {
  if (node.opset < 18) return undefined;
  const axes = constantNumbers(node, 1, "axes");
  if (!axes?.length && node.attributes.noop_with_empty_axes === 1)
    return emit(node, "Identity", [node.inputs[0]], {});
  const rest = without(node.attributes, "noop_with_empty_axes");
  return emit(node, node.op, [node.inputs[0]], axes?.length ? { ...rest, axes } : rest);
};

/** Before opset 13 the softmax ran over all axes from `axis` on, as if the value were a matrix. */
const matrixSoftmax: Upgrade = (node) => {
  const [x] = node.inputs as [Value];
  if (node.opset >= 13) return undefined;
  const axis = number(node, "axis") ?? 1;
  const at = axis < 0 ? axis + x.shape.length : axis;
  if (at === x.shape.length - 1) return emit(node, node.op, [x], { axis: -1 });
  return [reshape(apply(x.graph, node.op, [flatten(x, at)], { axis: -1 }, { name: node.name })[0], x.shape)];
};

const dropoutAsIdentity: Upgrade = (node) => {
  if (node.outputCount > 1)
    throw new Error("its mask output is used; Filigree imports Dropout for inference only");
  return emit(node, "Identity", [node.inputs[0]], {});
};

const resizeByScales: Upgrade = (node) => {
  if (node.op === "Resize" && node.opset >= 11) return undefined;
  const [x] = node.inputs as [Value];
  const scales = numbers(node, "scales") ?? constantNumbers(node, 1, "scales")!;
  const float = constant(x.graph, tensor("float32", [scales.length], scales));
  const mode = (node.attributes.mode as string | undefined) ?? "nearest";
  const attributes = {
    mode,
    coordinate_transformation_mode: "asymmetric",
    ...(mode === "nearest" && { nearest_mode: "floor" }),
  };
  return emit(node, "Resize", [x, undefined, float], attributes);
};

/** Whatever axis it begins at, scales of the last one alone are what models have. */
const rmsNormalization: Upgrade = (node) => {
  const [x, scale] = node.inputs as [Value, Value];
  const axis = number(node, "axis") ?? -1;
  if (axis !== -1 && axis !== x.shape.length - 1)
    throw new Error(`it normalises from axis ${axis} on; Filigree reads it for the last axis alone`);
  return [rmsNorm(x, scale, { epsilon: number(node, "epsilon") })];
};

/** Before opset 21 scale and bias are one number a group, since then one a channel. */
const groupNormalization: Upgrade = (node) => {
  const [x, ...affine] = node.inputs as [Value, Value, Value];
  const groups = number(node, "num_groups");
  if (groups === undefined) throw new Error("the attribute num_groups is missing");
  const [scale, bias] = affine.map((v) => {
    storedAsParameter(v);
    if (node.opset >= 21) return v;
    const size = x.shape[1] / groups;
    return reshape(expand(reshape(v, [groups, 1]), [groups, size]), [x.shape[1]]);
  });
  return [groupNorm(x, groups, scale, bias, { epsilon: number(node, "epsilon") })];
};

/** What is about to be read otherwise than as weights usually are is a parameter all the same. */
function storedAsParameter({ graph, name }: Value): void {
  const stored = graph.constants.get(name);
  if (stored?.dtype !== "float32") return;
  graph.constants.delete(name);
  graph.parameters.set(name, stored as Tensor<"float32">);
}

const upgrades: Record<string, Upgrade> = {
  Squeeze: axesToInput,
  Unsqueeze: axesToInput,
  ReduceSum: axesToInput,
  ReduceMean: axesToAttribute,
  ReduceMax: axesToAttribute,
  ReduceMin: axesToAttribute,
  ReduceProd: axesToAttribute,
  ReduceL1: axesToAttribute,
  ReduceL2: axesToAttribute,
  ReduceSumSquare: axesToAttribute,
  ReduceLogSumExp: axesToAttribute,
  Softmax: matrixSoftmax,
  LogSoftmax: matrixSoftmax,
  Dropout: dropoutAsIdentity,
  Upsample: resizeByScales,
  Resize: resizeByScales,
  Attention: attention,
  GroupNormalization: groupNormalization,
  RMSNormalization: rmsNormalization,
  Mish: ({ inputs: [x] }) => [mul(x!, tanh(softplus(x!)))],
  Swish: (node) => {
    const [x] = node.inputs as [Value];
    return [mul(x, sigmoid(mul(x, number(node, "alpha") ?? 1)))];
  },
  Scatter: (node) => emit(node, "ScatterElements", node.inputs, node.attributes),
  Cast: (node) => emit(node, "Cast", node.inputs, without(node.attributes, "saturate")),
  Clip: (node) => {
    if (node.opset >= 11) return undefined;
    const bound = (name: string) => {
      const v = number(node, name);
      return v === undefined ? undefined : scalar(node.graph, v);
    };
    return emit(node, "Clip", [node.inputs[0], bound("min"), bound("max")], {});
  },
  Pad: (node) => {
    const [x] = node.inputs as [Value];
    const mode = without(node.attributes, "pads", "value");
    const pads = numbers(node, "pads");
    if (pads)
      return emit(
        node,
        "Pad",
        [x, integers(x.graph, pads), scalar(x.graph, number(node, "value") ?? 0)],
        mode,
      );
    const axes = constantNumbers(node, 3, "axes");
    if (!axes) return undefined;
    const given = constantNumbers(node, 1, "pads")!;
    const rank = x.shape.length;
    const full = new Array<number>(2 * rank).fill(0);
    axes.forEach((axis, i) => {
      const at = axis < 0 ? axis + rank : axis;
      full[at] = given[i];
      full[rank + at] = given[axes.length + i];
    });
    return emit(node, "Pad", [x, integers(x.graph, full), node.inputs[2]], mode);
  },
  Slice: (node) => {
    const starts = numbers(node, "starts");
    if (!starts) return undefined;
    const axes = numbers(node, "axes") ?? starts.map((_, i) => i);
    const inputs = [starts, numbers(node, "ends")!, axes].map((v) => integers(node.graph, v));
    return emit(node, "Slice", [node.inputs[0], ...inputs], {});
  },
  Split: (node) => {
    const [x] = node.inputs as [Value];
    const axis = number(node, "axis") ?? 0;
    const given = numbers(node, "split");
    const rest = without(node.attributes, "split", "num_outputs");
    if (given) return emit(node, "Split", [x, integers(x.graph, given)], rest);
    if (node.attributes.num_outputs === undefined) return undefined;
    const length = x.shape[axis < 0 ? axis + x.shape.length : axis];
    const part = Math.ceil(length / node.outputCount);
    const lengths = Array.from({ length: node.outputCount }, (_, i) => Math.min(part, length - part * i));
    return emit(node, "Split", [x, integers(x.graph, lengths)], rest);
  },
  TopK: (node) => {
    const k = number(node, "k");
    if (k === undefined) return undefined;
    return emit(node, "TopK", [node.inputs[0], integers(node.graph, [k])], without(node.attributes, "k"));
  },
  BatchNormalization: (node) => {
    if (node.attributes.spatial === 0) throw new Error("spatial = 0 is not supported");
    if (node.attributes.training_mode === 1 || node.outputCount > 1)
      throw new Error("it is in training mode; export the model for inference");
    return emit(
      node,
      node.op,
      node.inputs,
      without(node.attributes, "spatial", "consumed_inputs", "is_test", "training_mode", "momentum"),
    );
  },
  MaxPool: (node) => emit(node, node.op, node.inputs, without(node.attributes, "storage_order")),
  // The shape goes through our own `reshape`, which writes dimensions that stay as "copy": the batch can then change.
  Reshape: (node) => {
    const [x] = node.inputs as [Value];
    const target = constantNumbers(node, 1, "target shape")!;
    if (node.attributes.allowzero === 1 && target.includes(0)) return undefined;
    const copied = target.map((d, i) => (d === 0 ? x.shape[i] : d));
    const fixed = copied.reduce((a, d) => (d === -1 ? a : a * d), 1);
    // A file with a fixed batch of 1 often writes the flattened shape out in full; run at another batch, its first
    // dimension is the one to follow.
    const size = sizeOf(x.shape);
    if (!copied.includes(-1) && fixed !== size && target[0] === 1 && fixed * x.shape[0] === size)
      copied[0] = x.shape[0];
    return [reshape(x, copied)];
  },
};

/** Operators that older or newer files use, and opset 17 spells differently. */
export const FOREIGN_OPERATORS = [
  "Constant",
  "Dropout",
  "Upsample",
  "Scatter",
  "Attention",
  "GroupNormalization",
  "RMSNormalization",
  "Mish",
  "Swish",
];

/** Applies a node of any opset from 7 on as operators of opset 17. */
export function importNode(node: ForeignNode): Value[] {
  return upgrades[node.op]?.(node) ?? emit(node, node.op, node.inputs, node.attributes);
}

/** The value of a `Constant` node. */
export function constantOf(attributes: Readonly<Record<string, Attributes[string]>>, name: string): Tensor {
  if (attributes.value) return attributes.value as Tensor;
  if (attributes.value_float !== undefined) return tensor("float32", [], [attributes.value_float as number]);
  if (attributes.value_int !== undefined) return tensor("int64", [], [attributes.value_int as number]);
  const floats = attributes.value_floats as readonly number[] | undefined;
  if (floats) return tensor("float32", [floats.length], floats);
  const ints = attributes.value_ints as readonly number[] | undefined;
  if (ints) return tensor("int64", [ints.length], ints);
  throw new Problem(
    `Constant node "${name}" holds ${Object.keys(attributes).join(", ") || "nothing"}; expected a tensor or numbers`,
  );
}
