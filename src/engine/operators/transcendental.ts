import { add, div, mul, neg, sqrt, sub } from "./arithmetic.ts";
import { unary } from "./elementwise.ts";

export const exp = unary("Exp", { value: Math.exp, gradient: ({ y, dy }) => mul(dy, y) });
export const log = unary("Log", { value: Math.log, gradient: ({ x, dy }) => div(dy, x) });

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

export const erf = unary("Erf", {
  value: erfNumber,
  gradient: ({ x, dy }) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
});
