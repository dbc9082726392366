import type { Value, ValueType } from "../graph.ts";
import { forEachIndex } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { scatterElements } from "./indexing.ts";
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

/** Visits every line of `shape` along `axis`: where it starts and how far apart its elements lie. */
function forEachLine(
  shape: Shape,
  axis: number,
  visit: (start: number, step: number, line: number) => void,
): void {
  const step = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < step; i++) visit(o * shape[axis] * step + i, step, o * step + i);
}

// Extremes -----------------------------------------------------------------------------------------------------------

type ArgExtreme = (x: Value, axis?: number, options?: { keepDims?: boolean }) => Value;

function argExtreme(name: string, better: (a: number, b: number) => boolean): ArgExtreme {
  defineOperator({
    name,
    attributes: { axis: "int", keepdims: "int", select_last_index: "int" },
    infer: ({ inputs: [x], attributes }) => {
      const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), x!.shape.length);
      const keep = numberAttribute(attributes, "keepdims", 1) !== 0;
      const shape = x!.shape.flatMap((d, i) => (i !== axis ? [d] : keep ? [1] : []));
      return [{ dtype: "int64", shape }];
    },
    evaluate: ({ inputs: [x], attributes, outputTypes: [type] }) => {
      const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), x.shape.length);
      const last = attributes.select_last_index === 1;
      const data = new Float64Array(sizeOf(type.shape));
      forEachLine(x.shape, axis, (start, step, line) => {
        let best = 0;
        for (let i = 1; i < x.shape[axis]; i++) {
          const [value, record] = [x.data[start + i * step], x.data[start + best * step]];
          if (better(value, record) || (last && value === record)) best = i;
        }
        data[line] = best;
      });
      return [{ shape: type.shape, data }];
    },
  });
  return (x, axis = -1, { keepDims = false } = {}) =>
    apply(x.graph, name, [x], { axis, keepdims: keepDims ? 1 : 0 })[0];
}

/** Position (int64) of the largest element along an axis, the last by default; the first where several tie. */
export const argMax = argExtreme("ArgMax", (a, b) => a > b);
/** Position (int64) of the smallest element along an axis, the last by default; the first where several tie. */
export const argMin = argExtreme("ArgMin", (a, b) => a < b);

defineOperator({
  name: "TopK",
  attributes: { axis: "int", largest: "int", sorted: "int" },
  infer: (call) => {
    const [x] = call.inputs;
    const [k] = requireConstant(call, 1, "k");
    const axis = normalizeAxis(numberAttribute(call.attributes, "axis", -1), x!.shape.length);
    if (k > x!.shape[axis])
      throw new Error(`k = ${k} is more than the length ${x!.shape[axis]} of axis ${axis}`);
    const shape = x!.shape.map((d, i) => (i === axis ? k : d));
    return [
      { dtype: x!.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
  gradient: ({ inputs: [x], outputs: [, indices], gradients: [dy], attributes }) => {
    const zero = expand(scalar(x.graph, 0, x.dtype), x.shape);
    return [dy && scatterElements(zero, indices, dy, { axis: numberAttribute(attributes, "axis", -1) })];
  },
  evaluate: ({ inputs: [x], attributes, outputTypes: [type] }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", -1), x.shape.length);
    const sign = numberAttribute(attributes, "largest", 1) ? -1 : 1;
    const k = type.shape[axis];
    const values = new Float64Array(sizeOf(type.shape));
    const indices = new Float64Array(values.length);
    forEachLine(x.shape, axis, (start, step, line) => {
      const order = Array.from({ length: x.shape[axis] }, (_, i) => i);
      const at = (i: number) => x.data[start + i * step];
      order.sort((a, b) => sign * (at(a) - at(b)) || a - b);
      const target = Math.floor(line / step) * k * step + (line % step);
      for (let i = 0; i < k; i++) {
        values[target + i * step] = at(order[i]);
        indices[target + i * step] = order[i];
      }
    });
    return [
      { shape: type.shape, data: values },
      { shape: type.shape, data: indices },
    ];
  },
});

export interface TopKOptions {
  axis?: number;
  /** false gives the smallest. */
  largest?: boolean;
}

/** The `k` largest elements along an axis in descending order, and their positions (int64); ties go to the lower one. */
export function topK(
  x: Value,
  k: number,
  { axis = -1, largest = true }: TopKOptions = {},
): { values: Value; indices: Value } {
  const attributes = { axis, largest: largest ? 1 : 0 };
  const [values, indices] = apply(x.graph, "TopK", [x, integers(x.graph, [k])], attributes, {
    outputCount: 2,
  });
  return { values, indices };
}

// Scans and masks ----------------------------------------------------------------------------------------------------

defineOperator({
  name: "CumSum",
  attributes: { exclusive: "int", reverse: "int" },
  infer: (call) => {
    const [axis] = requireConstant(call, 1, "axis");
    normalizeAxis(axis, call.inputs[0]!.shape.length);
    return [call.inputs[0] as ValueType];
  },
  gradient: ({ inputs: [, axis], gradients: [dy], attributes }) => [
    apply(dy!.graph, "CumSum", [dy, axis], { ...attributes, reverse: attributes.reverse === 1 ? 0 : 1 })[0],
  ],
  evaluate: ({ inputs: [x, axis], attributes }) => {
    const at = normalizeAxis(axis.data[0], x.shape.length);
    const length = x.shape[at];
    const data = new Float64Array(x.data.length);
    forEachLine(x.shape, at, (start, step) => {
      let total = 0;
      for (let i = 0; i < length; i++) {
        const cell = start + (attributes.reverse === 1 ? length - 1 - i : i) * step;
        if (attributes.exclusive === 1) data[cell] = total;
        total += x.data[cell];
        if (attributes.exclusive !== 1) data[cell] = total;
      }
    });
    return [{ shape: x.shape, data }];
  },
});

export interface CumSumOptions {
  /** Leave the element itself out of its sum. */
  exclusive?: boolean;
  /** Sum from the end. */
  reverse?: boolean;
}

/** Running sums along an axis. */
export function cumsum(
  x: Value,
  axis = -1,
  { exclusive = false, reverse = false }: CumSumOptions = {},
): Value {
  return apply(x.graph, "CumSum", [x, scalar(x.graph, axis, "int64")], {
    ...(exclusive && { exclusive: 1 }),
    ...(reverse && { reverse: 1 }),
  })[0];
}

defineOperator({
  name: "Trilu",
  attributes: { upper: "int" },
  infer: ({ inputs: [x] }) => {
    if (x!.shape.length < 2) throw new Error(`shape [${x!.shape}] has no matrix in its last two axes`);
    return [x as ValueType];
  },
  gradient: ({ inputs: [, k], gradients: [dy], attributes }) => [
    apply(dy!.graph, "Trilu", k ? [dy, k] : [dy], attributes)[0],
  ],
  evaluate: ({ inputs: [x, k], attributes }) => {
    const offset = k?.data[0] ?? 0;
    const upper = numberAttribute(attributes, "upper", 1) !== 0;
    const [rows, columns] = x.shape.slice(-2);
    const data = x.data.map((v, flat) => {
      const distance = (flat % columns) - (Math.floor(flat / columns) % rows);
      return (upper ? distance >= offset : distance <= offset) ? v : 0;
    });
    return [{ shape: x.shape, data }];
  },
});

export interface TriluOptions {
  /** Keep the upper (default) or the lower triangle. */
  upper?: boolean;
  /** The diagonal that bounds it: 0 the main one, positive above. */
  k?: number;
}

/** The upper or lower triangle of the matrices in the last two axes, zeros elsewhere. */
export function trilu(x: Value, { upper = true, k = 0 }: TriluOptions = {}): Value {
  const inputs = k === 0 ? [x] : [x, scalar(x.graph, k, "int64")];
  return apply(x.graph, "Trilu", inputs, { upper: upper ? 1 : 0 })[0];
}

defineOperator({
  name: "NonZero",
  infer: (call) => {
    const values = requireConstant(call, 0, "input (the number of results depends on it)");
    return [{ dtype: "int64", shape: [call.inputs[0]!.shape.length, values.filter((v) => v !== 0).length] }];
  },
  evaluate: ({ inputs: [x] }) => {
    const found: number[][] = [];
    forEachIndex(x.shape, (index, flat) => {
      if (x.data[flat] !== 0) found.push([...index]);
    });
    const data = Float64Array.from(x.shape.flatMap((_, axis) => found.map((index) => index[axis])));
    return [{ shape: [x.shape.length, found.length], data }];
  },
});
