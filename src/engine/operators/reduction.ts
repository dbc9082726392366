import type { Value, ValueType } from "../graph.ts";
import { broadcastAxes, broadcastStrides, forEachIndex, offsetOf, sameShape } from "../shapes.ts";
import { sizeOf } from "../tensor.ts";
import { div, mul, sign, sub } from "./arithmetic.ts";
import { where } from "./choice.ts";
import { equal } from "./comparison.ts";
import type { EvaluateCall, InferCall, Numeric } from "./operator.ts";
import {
  apply,
  defineOperator,
  integers,
  normalizeAxis,
  numberAttribute,
  numbersAttribute,
} from "./operator.ts";
import { expand } from "./repeat.ts";
import { reshape } from "./reshape.ts";
import { exp } from "./transcendental.ts";

interface ReductionRule {
  /** Folds the elements of one output cell. */
  value: (values: Float64Array) => number;
  /** Gradient before broadcasting: `y` and `dy` have kept axes of length 1. */
  gradient: (call: { x: Value; y: Value; dy: Value; count: number; axes: number[] }) => Value;
  /** ReduceSum alone takes its axes as an input in opset 17. */
  axesAsInput?: boolean;
}

/** Shape after reduction over `axes`, keeping them with length 1. */
function keptShape(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((d, i) => (axes.includes(i) ? 1 : d));
}

function axesOf(rank: number, given: number[] | undefined): number[] {
  if (given === undefined || given.length === 0) return Array.from({ length: rank }, (_, i) => i);
  return given.map((a) => normalizeAxis(a, rank)).sort((a, b) => a - b);
}

/** A reduction's function: `axes` default to all; `keepDims` leaves them in place with length 1. */
type Reduce = (x: Value, axes?: readonly number[], options?: { keepDims?: boolean }) => Value;

function reduction(name: string, rule: ReductionRule): Reduce {
  const infer = (call: InferCall): ValueType[] => {
    const [x] = call.inputs;
    const axes = axesOf(
      x!.shape.length,
      rule.axesAsInput ? axesInput(call) : numbersAttribute(call.attributes, "axes"),
    );
    const kept = keptShape(x!.shape, axes);
    const keep = numberAttribute(call.attributes, "keepdims", 1) !== 0;
    return [{ dtype: x!.dtype, shape: keep ? kept : x!.shape.filter((_, i) => !axes.includes(i)) }];
  };
  defineOperator({
    name,
    attributes: rule.axesAsInput
      ? { keepdims: "int", noop_with_empty_axes: "int" }
      : { keepdims: "int", axes: "ints" },
    infer,
    gradient: ({ graph, inputs, outputs, gradients, attributes }) => {
      const [x] = inputs;
      const given = rule.axesAsInput
        ? inputs[1] && Array.from(graph.constants.get(inputs[1].name)!.data as BigInt64Array, Number)
        : numbersAttribute(attributes, "axes");
      const axes = axesOf(x.shape.length, given);
      const kept = keptShape(x.shape, axes);
      const count = sizeOf(x.shape) / sizeOf(kept);
      const gradient = rule.gradient({
        x,
        y: reshape(outputs[0], kept),
        dy: reshape(gradients[0]!, kept),
        count,
        axes,
      });
      return [sameShape(gradient.shape, x.shape) ? gradient : expand(gradient, x.shape)];
    },
    evaluate: (call) => {
      const [x] = call.inputs;
      const given = rule.axesAsInput
        ? call.inputs[1] && Array.from(call.inputs[1].data)
        : numbersAttribute(call.attributes, "axes");
      return [reduceNumeric(x, axesOf(x.shape.length, given), call, rule.value)];
    },
  });
  return (x, axes, { keepDims = false } = {}) => {
    const keepdims = keepDims ? 1 : 0;
    if (!rule.axesAsInput) return apply(x.graph, name, [x], axes ? { keepdims, axes } : { keepdims })[0];
    return apply(x.graph, name, [x, axes && integers(x.graph, axes)], { keepdims })[0];
  };
}

function axesInput({ inputs, constant }: InferCall): number[] | undefined {
  if (!inputs[1]) return undefined;
  const axes = constant(1);
  if (!axes) throw new Error("its axes must be constant");
  return axes;
}

function reduceNumeric(
  x: Numeric,
  axes: number[],
  call: EvaluateCall,
  value: (v: Float64Array) => number,
): Numeric {
  const kept = keptShape(x.shape, axes);
  const strides = broadcastStrides(kept, x.shape);
  const cells = Array.from({ length: sizeOf(kept) }, () => [] as number[]);
  forEachIndex(x.shape, (index, flat) => cells[offsetOf(index, strides)].push(x.data[flat]));
  return {
    shape: call.outputTypes[0].shape,
    data: Float64Array.from(cells, (c) => value(Float64Array.from(c))),
  };
}

const total = (v: Float64Array) => v.reduce((a, b) => a + b, 0);

export const reduceSum = reduction("ReduceSum", {
  axesAsInput: true,
  value: total,
  gradient: ({ dy }) => dy,
});
export const reduceMean = reduction("ReduceMean", {
  value: (v) => total(v) / v.length,
  gradient: ({ dy, count }) => mul(dy, 1 / count),
});
/** Maximum; elements that tie share the gradient equally. */
export const reduceMax = reduction("ReduceMax", {
  value: (v) => v.reduce((a, b) => Math.max(a, b), -Infinity),
  gradient: tied,
});
/** Minimum; elements that tie share the gradient equally. */
export const reduceMin = reduction("ReduceMin", {
  value: (v) => v.reduce((a, b) => Math.min(a, b), Infinity),
  gradient: tied,
});

function tied({ x, y, dy, axes }: { x: Value; y: Value; dy: Value; axes: number[] }): Value {
  const wins = where(equal(x, y), 1, 0, x);
  return mul(wins, div(dy, reduceSum(wins, axes, { keepDims: true })));
}

/** Product. The gradient divides by the elements, so it is not defined where one of them is 0. */
export const reduceProd = reduction("ReduceProd", {
  value: (v) => v.reduce((a, b) => a * b, 1),
  gradient: ({ x, y, dy }) => div(mul(dy, y), x),
});
export const reduceSumSquare = reduction("ReduceSumSquare", {
  value: (v) => v.reduce((a, b) => a + b * b, 0),
  gradient: ({ x, dy }) => mul(mul(x, 2), dy),
});
/** Σ|x|. */
export const reduceL1 = reduction("ReduceL1", {
  value: (v) => v.reduce((a, b) => a + Math.abs(b), 0),
  gradient: ({ x, dy }) => mul(sign(x), dy),
});
/** √Σx²; its gradient at the zero vector is 0. */
export const reduceL2 = reduction("ReduceL2", {
  value: (v) => Math.sqrt(v.reduce((a, b) => a + b * b, 0)),
  gradient: ({ x, y, dy }) => mul(x, div(dy, where(equal(y, 0), 1, y))),
});
/** log Σ eˣ, stable for large |x|. */
export const logSumExp = reduction("ReduceLogSumExp", {
  value: (v) => {
    const top = v.reduce((a, b) => Math.max(a, b), -Infinity);
    return top + Math.log(v.reduce((a, b) => a + Math.exp(b - top), 0));
  },
  gradient: ({ x, y, dy }) => mul(exp(sub(x, y)), dy),
});

/** Sums a gradient back to the shape of an operand that was broadcast. */
export function sumTo(x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  const axes = broadcastAxes(shape, x.shape);
  // Where only axes go that `shape` lacks, nothing is left to reshape.
  const keepDims = axes.length !== x.shape.length - shape.length;
  const summed = axes.length ? reduceSum(x, axes, { keepDims }) : x;
  return sameShape(summed.shape, shape) ? summed : reshape(summed, shape);
}
