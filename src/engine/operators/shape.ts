import type { Value } from "../graph.ts";
import {
  broadcastShapes,
  broadcastStrides,
  forEachIndex,
  offsetOf,
  sameShape,
  stridesOf,
} from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import type { InferCall, Numeric } from "./operator.ts";
import {
  apply,
  defineOperator,
  integers,
  normalizeAxis,
  numberAttribute,
  numbersAttribute,
  scalar,
} from "./operator.ts";
import { sumTo } from "./reduction.ts";

/** The numbers of an input that the shape depends on; throws where it is computed at run time. */
export function requireConstant(call: InferCall, i: number, what: string): number[] {
  const values = call.constant(i);
  if (!values) throw new Error(`its ${what} must be constant`);
  return values;
}

// Reshape and its relatives: the elements stay where they are --------------------------------------------------------

/** Resolves the 0 (copy) and −1 (infer) of an ONNX target shape. */
function resolveShape(from: Shape, target: readonly number[], allowZero = false): number[] {
  const shape = target.map((d, i) => {
    if (d !== 0 || allowZero) return d;
    if (i >= from.length)
      throw new Error(`target [${target}] copies axis ${i} of shape [${from}], which has none`);
    return from[i];
  });
  const open = shape.indexOf(-1);
  const known = shape.reduce((a, d, i) => (i === open ? a : a * d), 1);
  if (open >= 0) shape[open] = known === 0 ? 0 : sizeOf(from) / known;
  if (sizeOf(shape) !== sizeOf(from) || !shape.every((d) => Number.isInteger(d) && d >= 0))
    throw new Error(`cannot reshape [${from}] to [${target}]`);
  return shape;
}

defineOperator({
  name: "Reshape",
  attributes: { allowzero: "int" },
  infer: (call) => {
    const [x] = call.inputs;
    const target = requireConstant(call, 1, "target shape");
    return [{ dtype: x!.dtype, shape: resolveShape(x!.shape, target, call.attributes.allowzero === 1) }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [reshape(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [{ shape: type.shape, data: x.data }],
});

/**
 * The same elements in another shape; one dimension may be −1. Dimensions that stay are written as "copy" (0), so that
 * the exported graph keeps working at other batch sizes.
 */
export function reshape(x: Value, shape: readonly number[]): Value {
  const resolved = resolveShape(x.shape, shape);
  if (sameShape(resolved, x.shape)) return x;
  const target = shape.map((d, i) => (d === x.shape[i] ? 0 : d));
  return apply(x.graph, "Reshape", [x, integers(x.graph, target)])[0];
}

defineOperator({
  name: "Flatten",
  attributes: { axis: "int" },
  infer: ({ inputs: [x], attributes }) => {
    const rank = x!.shape.length;
    const given = numberAttribute(attributes, "axis", 1);
    const axis = given === rank ? rank : normalizeAxis(given, rank);
    return [{ dtype: x!.dtype, shape: [sizeOf(x!.shape.slice(0, axis)), sizeOf(x!.shape.slice(axis))] }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [reshape(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [{ shape: type.shape, data: x.data }],
});

/** A matrix: the axes before `axis` become rows, the others columns. */
export function flatten(x: Value, axis = 1): Value {
  return apply(x.graph, "Flatten", [x], { axis })[0];
}

defineOperator({
  name: "Squeeze",
  infer: (call) => {
    const [x] = call.inputs;
    const rank = x!.shape.length;
    const axes = call.inputs[1]
      ? requireConstant(call, 1, "axes").map((a) => normalizeAxis(a, rank))
      : x!.shape.flatMap((d, i) => (d === 1 ? [i] : []));
    for (const a of axes)
      if (x!.shape[a] !== 1) throw new Error(`axis ${a} of [${x!.shape}] has length ${x!.shape[a]}, not 1`);
    return [{ dtype: x!.dtype, shape: x!.shape.filter((_, i) => !axes.includes(i)) }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [reshape(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [{ shape: type.shape, data: x.data }],
});

/** Removes axes of length 1. */
export function squeeze(x: Value, axes: readonly number[]): Value {
  return apply(x.graph, "Squeeze", [x, integers(x.graph, axes)])[0];
}

defineOperator({
  name: "Unsqueeze",
  infer: (call) => {
    const [x] = call.inputs;
    const given = requireConstant(call, 1, "axes");
    const rank = x!.shape.length + given.length;
    const axes = given.map((a) => normalizeAxis(a, rank));
    const rest = [...x!.shape];
    return [
      {
        dtype: x!.dtype,
        shape: Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!)),
      },
    ];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [reshape(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [{ shape: type.shape, data: x.data }],
});

/** Inserts axes of length 1 at the given places of the result. */
export function unsqueeze(x: Value, axes: readonly number[]): Value {
  return apply(x.graph, "Unsqueeze", [x, integers(x.graph, axes)])[0];
}

// Order and repetition -----------------------------------------------------------------------------------------------

/** Reads `x` through strides: element `index` of the result is `x.data[offset + Σ index·strides]`. */
function strided(x: Numeric, shape: Shape, strides: readonly number[], offset = 0): Numeric {
  const data = new Float64Array(sizeOf(shape));
  forEachIndex(shape, (index, flat) => {
    data[flat] = x.data[offset + offsetOf(index, strides)];
  });
  return { shape, data };
}

defineOperator({
  name: "Transpose",
  attributes: { perm: "ints" },
  infer: ({ inputs: [x], attributes }) => {
    const perm = permutationOf(x!.shape.length, numbersAttribute(attributes, "perm"));
    return [{ dtype: x!.dtype, shape: perm.map((p) => x!.shape[p]) }];
  },
  gradient: ({ inputs: [x], gradients: [dy], attributes }) => {
    const perm = permutationOf(x.shape.length, numbersAttribute(attributes, "perm"));
    return [
      transpose(
        dy!,
        perm.map((_, i) => perm.indexOf(i)),
      ),
    ];
  },
  evaluate: ({ inputs: [x], attributes, outputTypes: [type] }) => {
    const strides = stridesOf(x.shape);
    const perm = permutationOf(x.shape.length, numbersAttribute(attributes, "perm"));
    return [
      strided(
        x,
        type.shape,
        perm.map((p) => strides[p]),
      ),
    ];
  },
});

function permutationOf(rank: number, perm: number[] | undefined): number[] {
  const result = perm ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (result.length !== rank || new Set(result).size !== rank || !result.every((p) => p >= 0 && p < rank))
    throw new Error(`perm [${result}] is not a permutation of ${rank} axes`);
  return result;
}

/** Axis `i` of the result is axis `perm[i]` of `x`; without `perm` the order is reversed. */
export function transpose(x: Value, perm?: readonly number[]): Value {
  return apply(x.graph, "Transpose", [x], perm ? { perm } : {})[0];
}

defineOperator({
  name: "Expand",
  infer: (call) => {
    const [x] = call.inputs;
    return [{ dtype: x!.dtype, shape: broadcastShapes(x!.shape, requireConstant(call, 1, "target shape")) }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [sumTo(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [
    strided(x, type.shape, broadcastStrides(x.shape, type.shape)),
  ],
});

/** Repeats `x` along axes of length 1 until it has `shape`. */
export function expand(x: Value, shape: readonly number[]): Value {
  return sameShape(x.shape, shape) ? x : apply(x.graph, "Expand", [x, integers(x.graph, shape)])[0];
}

defineOperator({
  name: "Tile",
  infer: (call) => {
    const [x] = call.inputs;
    const repeats = requireConstant(call, 1, "repeats");
    if (repeats.length !== x!.shape.length)
      throw new Error(`${repeats.length} repeats for rank ${x!.shape.length}`);
    return [{ dtype: x!.dtype, shape: x!.shape.map((d, i) => d * repeats[i]) }];
  },
  gradient: ({ inputs: [x], outputs: [y], gradients: [dy] }) => {
    const interleaved = x.shape.flatMap((d, i) => [y.shape[i] / d, d]);
    const summed = sumTo(
      reshape(dy!, interleaved),
      x.shape.flatMap((d) => [1, d]),
    );
    return [reshape(summed, x.shape)];
  },
  evaluate: ({ inputs: [x], outputTypes: [type] }) => {
    const strides = stridesOf(x.shape);
    const data = new Float64Array(sizeOf(type.shape));
    forEachIndex(type.shape, (index, flat) => {
      data[flat] =
        x.data[
          offsetOf(
            index.map((v, i) => v % x.shape[i]),
            strides,
          )
        ];
    });
    return [{ shape: type.shape, data }];
  },
});

/** Repeats the whole of `x` `repeats[i]` times along axis i. */
export function tile(x: Value, repeats: readonly number[]): Value {
  return apply(x.graph, "Tile", [x, integers(x.graph, repeats)])[0];
}

// Joining and cutting ------------------------------------------------------------------------------------------------

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

interface SliceAxis {
  start: number;
  step: number;
  length: number;
}

/** What ONNX `Slice` takes along each axis, negative indices and clamping resolved. */
function sliceAxes(
  shape: Shape,
  starts: number[],
  ends: number[],
  axes: number[],
  steps: number[],
): SliceAxis[] {
  const result = shape.map((d) => ({ start: 0, step: 1, length: d }));
  axes.forEach((given, i) => {
    const axis = normalizeAxis(given, shape.length);
    const d = shape[axis];
    const step = steps[i];
    if (step === 0) throw new Error(`step 0 along axis ${axis}`);
    const clampTo = (v: number, low: number, high: number) =>
      Math.min(Math.max(v < 0 ? v + d : v, low), high);
    const start = step > 0 ? clampTo(starts[i], 0, d) : clampTo(starts[i], 0, d - 1);
    const end = step > 0 ? clampTo(ends[i], 0, d) : clampTo(ends[i], -1, d - 1);
    result[axis] = { start, step, length: Math.max(0, Math.ceil((end - start) / step)) };
  });
  return result;
}

function sliceOf(call: Pick<InferCall, "inputs" | "constant">): SliceAxis[] {
  const starts = requireConstant(call as InferCall, 1, "starts");
  const ends = requireConstant(call as InferCall, 2, "ends");
  const axes = call.inputs[3] ? requireConstant(call as InferCall, 3, "axes") : starts.map((_, i) => i);
  const steps = call.inputs[4] ? requireConstant(call as InferCall, 4, "steps") : starts.map(() => 1);
  return sliceAxes(call.inputs[0]!.shape, starts, ends, axes, steps);
}

defineOperator({
  name: "Slice",
  infer: (call) => [{ dtype: call.inputs[0]!.dtype, shape: sliceOf(call).map((s) => s.length) }],
  gradient: ({ graph, inputs, gradients: [dy] }) => {
    const constantOf = (i: number) =>
      Array.from(graph.constants.get(inputs[i].name)!.data as BigInt64Array, Number);
    const [x] = inputs;
    const taken = sliceOf({ inputs, constant: constantOf });
    let gradient = dy!;
    taken.forEach(({ start, step, length }, axis) => {
      if (step === 1 || length <= 1) return;
      if (step < 0) gradient = slice(gradient, { [axis]: { start: -1, end: -(2 ** 31), step: -1 } });
      gradient = dilate(gradient, axis, Math.abs(step));
      if (step < 0) taken[axis] = { start: start + (length - 1) * step, step: -step, length };
    });
    const before = taken.map((s) => s.start);
    const after = x.shape.map((d, i) => d - before[i] - gradient.shape[i]);
    return [pad(gradient, before, after)];
  },
  evaluate: ({ inputs, inputTypes }) => {
    const [x] = inputs;
    const taken = sliceOf({ inputs: inputTypes, constant: (i) => Array.from(inputs[i].data) });
    const strides = stridesOf(x.shape);
    const offset = taken.reduce((a, s, i) => a + s.start * strides[i], 0);
    return [
      strided(
        x,
        taken.map((s) => s.length),
        taken.map((s, i) => s.step * strides[i]),
        offset,
      ),
    ];
  },
});

/** Puts step−1 zeros between neighbours along an axis. */
function dilate(x: Value, axis: number, step: number): Value {
  const wide = unsqueeze(x, [axis + 1]);
  const zerosAfter = wide.shape.map((_, i) => (i === axis + 1 ? step - 1 : 0));
  const padded = pad(
    wide,
    zerosAfter.map(() => 0),
    zerosAfter,
  );
  const joined = reshape(
    padded,
    x.shape.map((d, i) => (i === axis ? d * step : d)),
  );
  return slice(joined, { [axis]: { start: 0, end: (x.shape[axis] - 1) * step + 1 } });
}

export interface SliceRange {
  start?: number;
  end?: number;
  step?: number;
}

/** A part of `x`: a range (end exclusive, negative counts from the end) for each axis named. */
export function slice(x: Value, ranges: Readonly<Record<number, SliceRange>>): Value {
  const axes = Object.keys(ranges).map(Number);
  const pick = (f: (r: SliceRange) => number) =>
    integers(
      x.graph,
      axes.map((a) => f(ranges[a])),
    );
  return apply(x.graph, "Slice", [
    x,
    pick((r) => r.start ?? 0),
    pick((r) => r.end ?? 2 ** 31 - 1),
    integers(x.graph, axes),
    pick((r) => r.step ?? 1),
  ])[0];
}

defineOperator({
  name: "Pad",
  attributes: { mode: "string" },
  infer: (call) => {
    const [x] = call.inputs;
    const pads = requireConstant(call, 1, "pads");
    const rank = x!.shape.length;
    if (pads.length !== 2 * rank)
      throw new Error(`${pads.length} pads for rank ${rank}, expected ${2 * rank}`);
    const shape = x!.shape.map((d, i) => d + pads[i] + pads[rank + i]);
    if (shape.some((d) => d < 0)) throw new Error(`pads [${pads}] cut more than shape [${x!.shape}] has`);
    return [{ dtype: x!.dtype, shape }];
  },
  gradient: ({ graph, inputs, gradients: [dy], attributes }) => {
    if ((attributes.mode ?? "constant") !== "constant")
      throw new Error(`Pad mode "${attributes.mode}" has no gradient rule; only "constant" has`);
    const rank = inputs[0].shape.length;
    const pads = Array.from(graph.constants.get(inputs[1].name)!.data as BigInt64Array, Number);
    return [
      pad(
        dy!,
        pads.slice(0, rank).map((p) => -p),
        pads.slice(rank).map((p) => -p),
      ),
    ];
  },
  evaluate: ({ inputs: [x, pads, fill], attributes, outputTypes: [type] }) => {
    const mode = attributes.mode ?? "constant";
    const strides = stridesOf(x.shape);
    const data = new Float64Array(sizeOf(type.shape));
    forEachIndex(type.shape, (index, flat) => {
      let inside = true;
      const source = index.map((v, i) => {
        const at = v - pads.data[i];
        const last = x.shape[i] - 1;
        if (at >= 0 && at <= last) return at;
        if (mode === "edge") return Math.min(Math.max(at, 0), last);
        if (mode === "reflect") return at < 0 ? -at : 2 * last - at;
        inside = false;
        return 0;
      });
      data[flat] = inside ? x.data[offsetOf(source, strides)] : (fill?.data[0] ?? 0);
    });
    return [{ shape: type.shape, data }];
  },
});

/** Adds `before[i]` and `after[i]` cells of `value` around axis i; negative amounts cut. */
export function pad(x: Value, before: readonly number[], after: readonly number[], value = 0): Value {
  if ([...before, ...after].every((p) => p === 0)) return x;
  return apply(x.graph, "Pad", [
    x,
    integers(x.graph, [...before, ...after]),
    scalar(x.graph, value, x.dtype),
  ])[0];
}
