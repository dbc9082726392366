import { add, mul, sub } from "./arithmetic.ts";
import { where } from "./choice.ts";
import { and, greater, less } from "./comparison.ts";
import { binary, unary } from "./elementwise.ts";
import { numberAttribute } from "./operator.ts";

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
/** Slope max(0,·) with one learnable slope per channel for negatives: x for x ≥ 0, else slope·x. */
export const prelu = binary("PRelu", {
  value: (x, slope) => (x >= 0 ? x : slope * x),
  gradient: {
    a: ({ a, b, dy }) => where(greater(a, 0), dy, mul(dy, b)),
    b: ({ a, dy }) => where(greater(a, 0), 0, mul(dy, a)),
  },
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
