import type { Attributes, Value, ValueType } from "../graph.ts";
import { broadcastShapes, broadcastStrides, forEachIndex, offsetOf } from "../shapes.ts";
import type { DType } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import type { AttributeKind, GradientCall, Numeric, Operand } from "./operator.ts";
import { apply, defineOperator, numberAttribute, operandValue } from "./operator.ts";
import { sumTo } from "./reduction.ts";

// Unary --------------------------------------------------------------------------------------------------------------

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

function unary(name: string, rule: UnaryRule): (x: Value, attributes?: Attributes) => Value {
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

/** erf by its Maclaurin series for small arguments and the continued fraction of erfc for large ones, to 1e-15. */
function erfNumber(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 120; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

/** Nearest integer, halves to even: the rounding of ONNX `Round`. */
function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

export const neg = unary("Neg", { value: (x) => -x, gradient: ({ dy }) => neg(dy) });
export const abs = unary("Abs", { value: Math.abs, gradient: ({ x, dy }) => mul(dy, sign(x)) });
export const sign = unary("Sign", { value: Math.sign });
export const exp = unary("Exp", { value: Math.exp, gradient: ({ y, dy }) => mul(dy, y) });
export const log = unary("Log", { value: Math.log, gradient: ({ x, dy }) => div(dy, x) });
export const sqrt = unary("Sqrt", { value: Math.sqrt, gradient: ({ y, dy }) => div(dy, mul(y, 2)) });
export const reciprocal = unary("Reciprocal", {
  value: (x) => 1 / x,
  gradient: ({ y, dy }) => neg(mul(dy, mul(y, y))),
});
export const erf = unary("Erf", {
  value: erfNumber,
  gradient: ({ x, dy }) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
});
export const sin = unary("Sin", { value: Math.sin, gradient: ({ x, dy }) => mul(dy, cos(x)) });
export const cos = unary("Cos", { value: Math.cos, gradient: ({ x, dy }) => neg(mul(dy, sin(x))) });
export const tan = unary("Tan", { value: Math.tan, gradient: ({ y, dy }) => mul(dy, add(mul(y, y), 1)) });
export const asin = unary("Asin", {
  value: Math.asin,
  gradient: ({ x, dy }) => div(dy, sqrt(sub(1, mul(x, x)))),
});
export const acos = unary("Acos", {
  value: Math.acos,
  gradient: ({ x, dy }) => neg(div(dy, sqrt(sub(1, mul(x, x))))),
});
export const atan = unary("Atan", { value: Math.atan, gradient: ({ x, dy }) => div(dy, add(mul(x, x), 1)) });
export const sinh = unary("Sinh", { value: Math.sinh, gradient: ({ x, dy }) => mul(dy, cosh(x)) });
export const cosh = unary("Cosh", { value: Math.cosh, gradient: ({ x, dy }) => mul(dy, sinh(x)) });
export const tanh = unary("Tanh", {
  value: Math.tanh,
  gradient: ({ y, dy }) => mul(dy, sub(1, mul(y, y))),
});
export const asinh = unary("Asinh", {
  value: Math.asinh,
  gradient: ({ x, dy }) => div(dy, sqrt(add(mul(x, x), 1))),
});
// The product of two roots, not the root of x²−1: near 1, where the distance of two close points lives, x²−1 cancels.
export const acosh = unary("Acosh", {
  value: Math.acosh,
  gradient: ({ x, dy }) => div(dy, mul(sqrt(sub(x, 1)), sqrt(add(x, 1)))),
});
export const atanh = unary("Atanh", {
  value: Math.atanh,
  gradient: ({ x, dy }) => div(dy, mul(sub(1, x), add(x, 1))),
});
export const sigmoid = unary("Sigmoid", {
  value: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  gradient: ({ y, dy }) => mul(dy, mul(y, sub(1, y))),
});
export const softplus = unary("Softplus", {
  value: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  gradient: ({ x, dy }) => mul(dy, sigmoid(x)),
});
/** max(x, 0); its derivative at 0 is 0, which is what lets a zero group stay zero. */
export const relu = unary("Relu", {
  value: (x) => Math.max(x, 0),
  gradient: ({ y, dy }) => where(greater(y, 0), dy, 0),
});
/** x for x ≥ 0, else `alpha`·x (ONNX default .01). */
export const leakyRelu = unary("LeakyRelu", {
  attributes: { alpha: "float" },
  value: (x, a) => (x >= 0 ? x : x * numberAttribute(a, "alpha", 0.01)),
  gradient: ({ x, dy, attributes }) =>
    where(greater(x, 0), dy, mul(dy, numberAttribute(attributes, "alpha", 0.01))),
});
/** x for x ≥ 0, else `alpha`·(eˣ − 1). */
export const elu = unary("Elu", {
  attributes: { alpha: "float" },
  value: (x, a) => (x >= 0 ? x : numberAttribute(a, "alpha", 1) * Math.expm1(x)),
  gradient: ({ x, y, dy, attributes }) =>
    where(greater(x, 0), dy, mul(dy, add(y, numberAttribute(attributes, "alpha", 1)))),
});
/** Clipped line max(0, min(1, αx + β)). */
export const hardSigmoid = unary("HardSigmoid", {
  attributes: { alpha: "float", beta: "float" },
  value: (x, a) =>
    Math.max(0, Math.min(1, numberAttribute(a, "alpha", 0.2) * x + numberAttribute(a, "beta", 0.5))),
  gradient: ({ y, dy, attributes }) =>
    where(and(greater(y, 0), less(y, 1)), mul(dy, numberAttribute(attributes, "alpha", 0.2)), 0),
});
/** x · max(0, min(1, x/6 + 1/2)), the activation of MobileNetV3. */
export const hardSwish = unary("HardSwish", {
  value: (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)),
  gradient: ({ x, dy }) => {
    const inside = add(mul(x, 1 / 3), 0.5);
    return mul(dy, where(less(x, -3), 0, where(greater(x, 3), 1, inside)));
  },
});
export const floor = unary("Floor", { value: Math.floor });
export const ceil = unary("Ceil", { value: Math.ceil });
export const round = unary("Round", { value: roundHalfEven });
export const not = unary("Not", { value: (x) => (x ? 0 : 1), result: "bool" });
export const isNaNValue = unary("IsNaN", { value: (x) => (Number.isNaN(x) ? 1 : 0), result: "bool" });
export const identity = unary("Identity", { value: (x) => x, gradient: ({ dy }) => dy });

// Binary with broadcasting -------------------------------------------------------------------------------------------

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

function binary(name: string, rule: BinaryRule): (a: Operand, b: Operand, attributes?: Attributes) => Value {
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

// 32-bit integers wrap around, as the runtimes' do: the random numbers of random.ts are made of that.
export const add = binary("Add", {
  value: (a, b) => a + b,
  integer: (a, b, dtype) => (dtype === "int32" ? (a + b) | 0 : a + b),
  gradient: { a: ({ dy }) => dy, b: ({ dy }) => dy },
});
export const sub = binary("Sub", {
  value: (a, b) => a - b,
  gradient: { a: ({ dy }) => dy, b: ({ dy }) => neg(dy) },
});
export const mul = binary("Mul", {
  value: (a, b) => a * b,
  integer: (a, b, dtype) => (dtype === "int32" ? Math.imul(a, b) : a * b),
  gradient: { a: ({ b, dy }) => mul(dy, b), b: ({ a, dy }) => mul(dy, a) },
});
export const div = binary("Div", {
  value: (a, b) => a / b,
  integer: (a, b) => Math.trunc(a / b),
  gradient: { a: ({ b, dy }) => div(dy, b), b: ({ b, y, dy }) => neg(mul(dy, div(y, b))) },
});
/** aᵇ. The gradient with respect to b is 0 where a ≤ 0, as the limit for a → 0⁺ with b > 0 is. */
export const pow = binary("Pow", {
  value: (a, b) => a ** b,
  gradient: {
    a: ({ a, b, dy }) => mul(dy, mul(b, pow(a, sub(b, 1)))),
    b: ({ a, y, dy }) => {
      const positive = greater(a, 0);
      return mul(dy, mul(y, where(positive, log(where(positive, a, 1)), 0)));
    },
  },
});
/** Remainder; `fmod: 1` takes the sign of the dividend (needed for floats), 0 that of the divisor. */
export const mod = binary("Mod", {
  attributes: { fmod: "int" },
  value: (a, b, attributes) => (attributes.fmod ? a % b : a - b * Math.floor(a / b)),
});
export const equal = binary("Equal", { value: (a, b) => Number(a === b), result: "bool" });
export const greater = binary("Greater", { value: (a, b) => Number(a > b), result: "bool" });
export const greaterOrEqual = binary("GreaterOrEqual", { value: (a, b) => Number(a >= b), result: "bool" });
export const less = binary("Less", { value: (a, b) => Number(a < b), result: "bool" });
export const lessOrEqual = binary("LessOrEqual", { value: (a, b) => Number(a <= b), result: "bool" });
export const and = binary("And", { value: (a, b) => Number(a && b), result: "bool" });
export const or = binary("Or", { value: (a, b) => Number(a || b), result: "bool" });
export const xor = binary("Xor", { value: (a, b) => Number(a !== b), result: "bool" });

/** Slope max(0,·) with one learnable slope per channel for negatives: x for x ≥ 0, else slope·x. */
export const prelu = binary("PRelu", {
  value: (x, slope) => (x >= 0 ? x : slope * x),
  gradient: {
    a: ({ a, b, dy }) => where(greater(a, 0), dy, mul(dy, b)),
    b: ({ a, dy }) => where(greater(a, 0), 0, mul(dy, a)),
  },
});

// Several operands ---------------------------------------------------------------------------------------------------

function variadic(
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

export const sum = variadic(
  "Sum",
  (v) => v.reduce((a, b) => a + b, 0),
  ({ dy }) => dy,
);
/** Elementwise maximum. Operands that tie share the gradient equally. */
export const maximum = variadic("Max", (v) => Math.max(...v), tiedGradient);
/** Elementwise minimum. Operands that tie share the gradient equally. */
export const minimum = variadic("Min", (v) => Math.min(...v), tiedGradient);

function tiedGradient({
  x,
  y,
  dy,
  inputs,
}: {
  x: Value;
  y: Value;
  dy: Value;
  inputs: readonly Value[];
}): Value {
  const wins = (v: Value) => where(equal(v, y), 1, 0, y);
  const winners = inputs.length === 1 ? wins(x) : sum(...inputs.map(wins));
  return mul(wins(x), div(dy, winners));
}

// Choice, range, type ------------------------------------------------------------------------------------------------

defineOperator({
  name: "Where",
  infer: ({ inputs: [c, a, b] }) => {
    if (c!.dtype !== "bool") throw new Error(`the condition is ${c!.dtype}, expected bool`);
    return [{ dtype: a!.dtype, shape: broadcastShapes(c!.shape, a!.shape, b!.shape) }];
  },
  gradient: ({ inputs: [c, a, b], gradients: [dy], wanted }) => [
    undefined,
    wanted[1] ? sumTo(where(c, dy!, 0), a.shape) : undefined,
    wanted[2] ? sumTo(where(c, 0, dy!), b.shape) : undefined,
  ],
  evaluate: ({ inputs }) => [broadcastMap(inputs, ([c, a, b]) => (c ? a : b))],
});

/** `a` where `condition`, else `b`. Two plain numbers take their dtype from `like` (float32 without it). */
export function where(condition: Value, a: Operand, b: Operand, like?: Value): Value {
  const reference = like ??
    [a, b].find((v): v is Value => typeof v !== "number") ?? { ...condition, dtype: "float32" as const };
  return apply(condition.graph, "Where", [
    condition,
    operandValue(a, reference),
    operandValue(b, reference),
  ])[0];
}

defineOperator({
  name: "Clip",
  infer: ({ inputs: [x] }) => [x as ValueType],
  gradient: ({ inputs: [x, low, high], gradients: [dy] }) => {
    let inside: Value | undefined = low && greaterOrEqual(x, low);
    if (high) inside = inside ? and(inside, lessOrEqual(x, high)) : lessOrEqual(x, high);
    return [inside ? where(inside, dy!, 0) : dy];
  },
  evaluate: ({ inputs: [x, low, high] }) => [
    {
      shape: x.shape,
      data: x.data.map((v) => Math.min(Math.max(v, low?.data[0] ?? -Infinity), high?.data[0] ?? Infinity)),
    },
  ],
});

/** x limited to [low, high]; either bound may be absent. The gradient passes where low ≤ x ≤ high. */
export function clip(x: Value, low?: number, high?: number): Value {
  const bound = (v: number | undefined) => (v === undefined ? undefined : operandValue(v, x));
  return apply(x.graph, "Clip", [x, bound(low), bound(high)])[0];
}

/** ONNX TensorProto.DataType numbers, the `to` attribute of Cast. */
export const ONNX_DTYPES: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

export const dtypeOfCode = new Map(Object.entries(ONNX_DTYPES).map(([name, code]) => [code, name as DType]));

defineOperator({
  name: "Cast",
  attributes: { to: "int" },
  infer: ({ inputs: [x], attributes }) => {
    const dtype = dtypeOfCode.get(attributes.to as number);
    if (!dtype)
      throw new Error(
        `cannot cast to ONNX type ${attributes.to}; known: ${[...dtypeOfCode.values()].join(", ")}`,
      );
    return [{ dtype, shape: x!.shape }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [
    x.dtype.startsWith("float") ? cast(dy!, x.dtype) : undefined,
  ],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => {
    const convert = (v: number) =>
      type.dtype === "bool" ? Number(v !== 0) : type.dtype.startsWith("float") ? v : Math.trunc(v);
    return [{ shape: x.shape, data: x.data.map(convert) }];
  },
});

export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : apply(x.graph, "Cast", [x], { to: ONNX_DTYPES[dtype] })[0];
}
