import type { Value } from "../graph.ts";
import { stridesOf } from "../shapes.ts";
import { sizeOf } from "../tensor.ts";
import {
  apply,
  defineOperator,
  integers,
  normalizeAxis,
  numberAttribute,
  requireConstant,
  scalar,
} from "./operator.ts";
import { expand } from "./repeat.ts";
import { strided } from "./strided.ts";

defineOperator({
  name: "Concat",
  attributes: { axis: "int" },
  infer: ({ inputs, attributes }) => {
    const first = inputs[0]!;
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), first.shape.length);
    for (const x of inputs)
      if (
        x!.dtype !== first.dtype ||
        x!.shape.length !== first.shape.length ||
        !x!.shape.every((d, i) => i === axis || d === first.shape[i])
      )
        throw new Error(
          `cannot join ${inputs.map((v) => `${v!.dtype}[${v!.shape}]`).join(", ")} along axis ${axis}`,
        );
    const length = inputs.reduce((a, x) => a + x!.shape[axis], 0);
    return [{ dtype: first.dtype, shape: first.shape.map((d, i) => (i === axis ? length : d)) }];
  },
  gradient: ({ inputs, gradients: [dy], attributes }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), inputs[0].shape.length);
    return split(
      dy!,
      inputs.map((x) => x.shape[axis]),
      axis,
    );
  },
  evaluate: ({ inputs, attributes, outputTypes: [type] }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), type.shape.length);
    const outer = sizeOf(type.shape.slice(0, axis));
    const data = new Float64Array(sizeOf(type.shape));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const x of inputs) {
        const length = x.data.length / outer;
        data.set(x.data.subarray(o * length, (o + 1) * length), at);
        at += length;
      }
    return [{ shape: type.shape, data }];
  },
});

/** Joins values along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  return values.length === 1 ? values[0] : apply(values[0].graph, "Concat", values, { axis })[0];
}

defineOperator({
  name: "Split",
  attributes: { axis: "int" },
  infer: (call) => {
    const [x] = call.inputs;
    const axis = normalizeAxis(numberAttribute(call.attributes, "axis", 0), x!.shape.length);
    const even = x!.shape[axis] / call.outputCount;
    const lengths = call.inputs[1]
      ? requireConstant(call, 1, "lengths")
      : new Array<number>(call.outputCount).fill(even);
    if (lengths.reduce((a, b) => a + b, 0) !== x!.shape[axis] || !lengths.every(Number.isInteger))
      throw new Error(`parts [${lengths}] do not add up to ${x!.shape[axis]} along axis ${axis}`);
    return lengths.map((d) => ({ dtype: x!.dtype, shape: x!.shape.map((v, i) => (i === axis ? d : v)) }));
  },
  gradient: ({ outputs, gradients, attributes, graph }) => {
    const axis = numberAttribute(attributes, "axis", 0);
    const parts = outputs.map((y, i) => gradients[i] ?? expand(scalar(graph, 0, y.dtype), y.shape));
    return [concat(parts, axis)];
  },
  evaluate: ({ inputs: [x], attributes, outputTypes }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), x.shape.length);
    const strides = stridesOf(x.shape);
    let start = 0;
    return outputTypes.map(({ shape }) => {
      const part = strided(x, shape, strides, start * strides[axis]);
      start += shape[axis];
      return part;
    });
  },
});

/** Cuts `x` along an axis into parts of the given lengths. */
export function split(x: Value, lengths: readonly number[], axis: number): Value[] {
  return apply(x.graph, "Split", [x, integers(x.graph, lengths)], { axis }, { outputCount: lengths.length });
}
