import { findOperator, normalizeAxis, numberAttribute } from "../../engine/operators/operator.ts";
import type { Shape } from "../../engine/tensor.ts";
import type { Ids } from "./atoms.ts";
import { FIXED } from "./atoms.ts";
import type { Axes, ConstantCall, FlowCall } from "./rule.ts";
import { defineChannelRule } from "./rule.ts";

/** Atoms after broadcasting; indices that meet are tied. */
export function broadcastFlow(call: FlowCall, operands: readonly (Axes | undefined)[], shape: Shape): Axes {
  return shape.map((length, axis) => {
    const meeting = operands.flatMap((axes) => {
      const ids = axes?.[axis - shape.length + axes.length];
      return ids && ids.length === length ? [ids] : [];
    });
    for (const ids of meeting.slice(1)) call.tie(meeting[0], ids);
    return meeting[0] ?? fixed(length);
  });
}

export function fixed(length: number): Ids {
  return new Array<number>(length).fill(FIXED);
}

/** What the operator makes of numbers, by its own definition; rounded as the runtime rounds. */
function evaluateNumbers(
  { node, attributes, outputTypes, inputTypes }: ConstantCall,
  values: number[],
): number {
  const [type] = outputTypes;
  const scalarType = (dtype: (typeof type)["dtype"]) => ({ dtype, shape: [] });
  const [result] = findOperator(node.op)!.evaluate({
    inputs: values.map((v) => ({ shape: [], data: Float64Array.of(v) })),
    inputTypes: inputTypes.map((t) => scalarType(t!.dtype)),
    outputTypes: [scalarType(type.dtype)],
    attributes,
  });
  return type.dtype === "float32" ? Math.fround(result.data[0]) : result.data[0];
}

/** The number that all operands known to be constant give; 0 where a product has a factor 0. */
function elementwiseConstant(call: ConstantCall): number | undefined {
  const values = call.node.inputs.map((name, i) => (name === "" ? undefined : call.known(i)));
  if (call.node.op === "Mul" && values.includes(0)) return 0;
  if (call.node.op === "Where" && values[1] !== undefined && values[1] === values[2]) return values[1];
  if (values.some((v) => v === undefined)) return undefined;
  const result = evaluateNumbers(call, values as number[]);
  return Number.isFinite(result) ? result : undefined;
}

const flow = (call: FlowCall) => [broadcastFlow(call, call.inputs, call.outputShapes[0])];

const UNARY =
  "Neg Abs Sign Exp Log Sqrt Reciprocal Erf Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh Sigmoid " +
  "Softplus Relu LeakyRelu Elu Gelu HardSigmoid HardSwish Floor Ceil Round Not IsNaN Identity Cast";
const BINARY =
  "Add Sub Mul Div Pow Mod Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor PRelu Sum Max Min Where";

defineChannelRule([...UNARY.split(" "), ...BINARY.split(" ")], { flow, constant: elementwiseConstant });

defineChannelRule(["Clip", "Dropout"], {
  // The further inputs are scalars: bounds, ratio, mode.
  flow: ({ inputs, outputShapes }) => outputShapes.map(() => inputs[0]!),
  constant: (call) => {
    const value = call.known(0);
    if (value === undefined || call.node.op === "Dropout") return value;
    const bound = (i: number, open: number) => (call.node.inputs[i] ? call.known(i) : open);
    const [low, high] = [bound(1, Number.NEGATIVE_INFINITY), bound(2, Number.POSITIVE_INFINITY)];
    return low === undefined || high === undefined ? undefined : Math.min(Math.max(value, low), high);
  },
});

/** Operators that mix along one axis and work independently along the others. */
defineChannelRule(["Softmax", "LogSoftmax"], {
  flow: (call) => [acrossAxis(call, numberAttribute(call.attributes, "axis", -1), "normalises over it")],
});

defineChannelRule("CumSum", {
  flow: (call) => {
    const [axis] = call.constant(1) ?? [];
    if (axis === undefined) return blockAll(call, "its axis is computed at run time");
    return [acrossAxis(call, axis, "adds up along it")];
  },
});

function acrossAxis(call: FlowCall, axis: number, reason: string): Axes {
  const [x] = call.inputs as [Axes];
  call.block(x[normalizeAxis(axis, x.length)], reason);
  return x;
}

/** Nothing that reaches the node may shrink. */
export function blockAll(call: FlowCall, reason: string): Axes[] {
  for (const axes of call.inputs) for (const ids of axes ?? []) call.block(ids, reason);
  return call.outputShapes.map((shape) => shape.map(fixed));
}
