import type { Value } from "../graph.ts";
import { where } from "./choice.ts";
import { equal, greater } from "./comparison.ts";
import { binary, unary, variadic } from "./elementwise.ts";
import { log } from "./transcendental.ts";

export const identity = unary("Identity", { value: (x) => x, gradient: ({ dy }) => dy });
export const neg = unary("Neg", { value: (x) => -x, gradient: ({ dy }) => neg(dy) });
export const abs = unary("Abs", { value: Math.abs, gradient: ({ x, dy }) => mul(dy, sign(x)) });
export const sign = unary("Sign", { value: Math.sign });
export const reciprocal = unary("Reciprocal", {
  value: (x) => 1 / x,
  gradient: ({ y, dy }) => neg(mul(dy, mul(y, y))),
});
export const sqrt = unary("Sqrt", { value: Math.sqrt, gradient: ({ y, dy }) => div(dy, mul(y, 2)) });
export const floor = unary("Floor", { value: Math.floor });
export const ceil = unary("Ceil", { value: Math.ceil });

/** Nearest integer, halves to even: the rounding of ONNX `Round`. */
function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

export const round = unary("Round", { value: roundHalfEven });

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
