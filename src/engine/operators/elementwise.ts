import type { Attributes, Value } from "../graph.ts";
import { broadcastShapes, broadcastStrides, forEachIndex, offsetOf } from "../shapes.ts";
import type { DType } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import type { AttributeKind, GradientCall, Numeric, Operand } from "./operator.ts";
import { apply, defineOperator, operandValue } from "./operator.ts";
import { sumTo } from "./reduction.ts";

interface UnaryGradientCall {
  x: Value;
  y: Value;
  /** Gradient of the loss with respect to `y`. */
  dy: Value;
  attributes: Attributes;
}

interface UnaryRule {
  attributes?: Record<string, AttributeKind>;
  value: (x: number, attributes: Attributes) => number;
  gradient?: (call: UnaryGradientCall) => Value;
  result?: DType;
}

/** Enters an operator that maps each element by itself, and gives the function that applies it. */
export function unary(name: string, rule: UnaryRule): (x: Value, attributes?: Attributes) => Value {
  defineOperator({
    name,
    attributes: rule.attributes,
    infer: ({ inputs }) => [{ dtype: rule.result ?? inputs[0]!.dtype, shape: inputs[0]!.shape }],
    gradient:
      rule.gradient &&
      (({ inputs, outputs, gradients, attributes }: GradientCall) => [
        rule.gradient!({ x: inputs[0], y: outputs[0], dy: gradients[0]!, attributes }),
      ]),
    evaluate: ({ inputs: [x], attributes }) => [
      { shape: x.shape, data: x.data.map((v) => rule.value(v, attributes)) },
    ],
  });
  return (x, attributes = {}) => apply(x.graph, name, [x], attributes)[0];
}

interface BinaryGradientCall {
  a: Value;
  b: Value;
  y: Value;
  dy: Value;
}

interface BinaryRule {
  attributes?: Record<string, AttributeKind>;
  value: (a: number, b: number, attributes: Attributes) => number;
  /** Gradients before they are summed back to the operands' own shapes. */
  gradient?: { a: (call: BinaryGradientCall) => Value; b: (call: BinaryGradientCall) => Value | undefined };
  result?: DType;
  /** How integers round (ONNX `Div` truncates) and wrap. */
  integer?: (a: number, b: number, dtype: DType) => number;
}

/** Enters an operator of two operands that broadcast; a number becomes a scalar of the other operand's dtype. */
export function binary(
  name: string,
  rule: BinaryRule,
): (a: Operand, b: Operand, attributes?: Attributes) => Value {
  defineOperator({
    name,
    attributes: rule.attributes,
    infer: ({ inputs: [a, b] }) => {
      if (a!.dtype !== b!.dtype)
        throw new Error(`operands are ${a!.dtype} and ${b!.dtype}; cast one of them`);
      return [{ dtype: rule.result ?? a!.dtype, shape: broadcastShapes(a!.shape, b!.shape) }];
    },
    gradient: rule.gradient
      ? ({ inputs: [a, b], outputs: [y], gradients: [dy], wanted }) => {
          const call = { a, b, y, dy: dy! };
          const to = (side: Value, gradient: Value | undefined) => gradient && sumTo(gradient, side.shape);
          return [
            wanted[0] ? to(a, rule.gradient!.a(call)) : undefined,
            wanted[1] ? to(b, rule.gradient!.b(call)) : undefined,
          ];
        }
      : undefined,
    evaluate: ({ inputs: [a, b], inputTypes, attributes }) => {
      const { dtype } = inputTypes[0];
      const integral = !dtype.startsWith("float") && rule.integer;
      return [
        broadcastMap([a, b], ([p, q]) => (integral ? integral(p, q, dtype) : rule.value(p, q, attributes))),
      ];
    },
  });
  return (a, b, attributes = {}) => {
    const like = typeof a === "number" ? (b as Value) : a;
    return apply(like.graph, name, [operandValue(a, like), operandValue(b, like)], attributes)[0];
  };
}

/** Enters an operator of any number of operands that broadcast. `gradient` is asked once for each operand `x`. */
export function variadic(
  name: string,
  value: (values: number[]) => number,
  gradient: (call: { x: Value; y: Value; dy: Value; inputs: readonly Value[] }) => Value,
): (...inputs: Operand[]) => Value {
  defineOperator({
    name,
    infer: ({ inputs }) => [
      { dtype: inputs[0]!.dtype, shape: broadcastShapes(...inputs.map((i) => i!.shape)) },
    ],
    gradient: ({ inputs, outputs, gradients, wanted }) =>
      inputs.map((x, i) =>
        wanted[i] ? sumTo(gradient({ x, y: outputs[0], dy: gradients[0]!, inputs }), x.shape) : undefined,
      ),
    evaluate: ({ inputs }) => [broadcastMap(inputs, value)],
  });
  return (...inputs) => {
    const like = inputs.find((i) => typeof i !== "number") as Value;
    return apply(
      like.graph,
      name,
      inputs.map((i) => operandValue(i, like)),
    )[0];
  };
}

/** Applies `f` elementwise over operands that broadcast. */
export function broadcastMap(operands: readonly Numeric[], f: (values: number[]) => number): Numeric {
  const shape = broadcastShapes(...operands.map((o) => o.shape));
  const strides = operands.map((o) => broadcastStrides(o.shape, shape));
  const data = new Float64Array(sizeOf(shape));
  const values = new Array<number>(operands.length);
  forEachIndex(shape, (index, flat) => {
    for (let k = 0; k < operands.length; k++) values[k] = operands[k].data[offsetOf(index, strides[k])];
    data[flat] = f(values);
  });
  return { shape, data };
}
