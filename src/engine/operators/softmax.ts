import type { Value } from "../graph.ts";
import { sizeOf } from "../tensor.ts";
import { sigmoid } from "./activations.ts";
import { mul, sub } from "./arithmetic.ts";
import type { Numeric } from "./operator.ts";
import { apply, defineOperator, normalizeAxis, numberAttribute } from "./operator.ts";
import { reduceSum } from "./reduction.ts";
import { exp } from "./transcendental.ts";

/** Replaces every line of `x` along an axis by `f` of it. */
function mapLines(x: Numeric, given: number, f: (line: Float64Array) => Float64Array): Numeric {
  const axis = normalizeAxis(given, x.shape.length);
  const length = x.shape[axis];
  const step = sizeOf(x.shape.slice(axis + 1));
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += length * step)
    for (let j = start; j < start + step; j++)
      f(Float64Array.from({ length }, (_, i) => x.data[j + i * step])).forEach((v, i) => {
        data[j + i * step] = v;
      });
  return { shape: x.shape, data };
}

function logSoftmaxLine(line: Float64Array): Float64Array {
  const top = line.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const shifted = line.map((v) => v - top);
  const log = Math.log(shifted.reduce((a, b) => a + Math.exp(b), 0));
  return shifted.map((v) => v - log);
}

const axisOf = (attributes: Readonly<Record<string, unknown>>) =>
  numberAttribute(attributes as Record<string, number>, "axis", -1);

defineOperator({
  name: "Softmax",
  attributes: { axis: "int" },
  infer: ({ inputs: [x], attributes }) => {
    normalizeAxis(axisOf(attributes), x!.shape.length);
    return [x!];
  },
  gradient: ({ outputs: [y], gradients: [dy], attributes }) => {
    const t = mul(dy!, y);
    return [sub(t, mul(y, reduceSum(t, [axisOf(attributes)], { keepDims: true })))];
  },
  evaluate: ({ inputs: [x], attributes }) => [
    mapLines(x, axisOf(attributes), (line) => logSoftmaxLine(line).map(Math.exp)),
  ],
});

/** eˣ / Σeˣ along an axis. */
export function softmax(x: Value, axis = -1): Value {
  return apply(x.graph, "Softmax", [x], { axis })[0];
}

defineOperator({
  name: "LogSoftmax",
  attributes: { axis: "int" },
  infer: ({ inputs: [x], attributes }) => {
    normalizeAxis(axisOf(attributes), x!.shape.length);
    return [x!];
  },
  gradient: ({ outputs: [y], gradients: [dy], attributes }) => [
    sub(dy!, mul(exp(y), reduceSum(dy!, [axisOf(attributes)], { keepDims: true }))),
  ],
  evaluate: ({ inputs: [x], attributes }) => [mapLines(x, axisOf(attributes), logSoftmaxLine)],
});

/** x − log Σeˣ along an axis, stable for large |x|. */
export function logSoftmax(x: Value, axis = -1): Value {
  return apply(x.graph, "LogSoftmax", [x], { axis })[0];
}

/** x · sigmoid(x), also called swish. */
export function silu(x: Value): Value {
  return mul(x, sigmoid(x));
}
