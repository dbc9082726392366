import type { Value } from "../graph.ts";
import { constant } from "../graph.ts";
import { forEachIndex, offsetOf, sameShape, stridesOf } from "../shapes.ts";
import type { DType, Shape } from "../tensor.ts";
import { sizeOf, tensor } from "../tensor.ts";
import { add } from "./arithmetic.ts";
import { cast } from "./cast.ts";
import { matmul } from "./matmul.ts";
import type { Numeric } from "./operator.ts";
import {
  apply,
  defineOperator,
  INTERNAL_DOMAIN,
  integers,
  normalizeAxis,
  numberAttribute,
  numbersAttribute,
  requireConstant,
  scalar,
} from "./operator.ts";
import { expand } from "./repeat.ts";
import { reshape } from "./reshape.ts";
import { transpose } from "./transpose.ts";

/** Position 0 .. length−1 from an index that may count from the end; throws when out of range. */
export function position(index: number, length: number): number {
  if (index < -length || index >= length)
    throw new Error(`index ${index} is out of range for length ${length}`);
  return index < 0 ? index + length : index;
}

/** Zeros of the type of `x`. */
export function zerosLike(x: Value): Value {
  return expand(scalar(x.graph, 0, x.dtype), x.shape);
}

// Slices along one axis ----------------------------------------------------------------------------------------------

defineOperator({
  name: "Gather",
  attributes: { axis: "int" },
  infer: ({ inputs: [x, indices], attributes }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), x!.shape.length);
    return [
      {
        dtype: x!.dtype,
        shape: [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)],
      },
    ];
  },
  gradient: ({ inputs: [x, indices], gradients: [dy], attributes }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), x.shape.length);
    return [sumByIndex(dy!, indices, x.shape, axis)];
  },
  evaluate: ({ inputs: [x, indices], attributes, outputTypes: [type] }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), x.shape.length);
    const length = x.shape[axis];
    const inner = sizeOf(x.shape.slice(axis + 1));
    const outer = sizeOf(x.shape.slice(0, axis));
    const data = new Float64Array(sizeOf(type.shape));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const index of indices.data) {
        const from = (o * length + position(index, length)) * inner;
        data.set(x.data.subarray(from, from + inner), at);
        at += inner;
      }
    return [{ shape: type.shape, data }];
  },
});

/** The slices of `x` at `indices` along an axis: [before…, ...indices.shape, …after]. Negative indices count from the end. */
export function gather(x: Value, indices: Value | readonly number[], axis = 0): Value {
  const at = "graph" in indices ? indices : integers(x.graph, indices);
  return apply(x.graph, "Gather", [x, at], { axis })[0];
}

/** Rows of a [vocabulary, width] table: ids of any shape give [...ids.shape, width]. */
export function embedding(table: Value, ids: Value): Value {
  return gather(table, ids, 0);
}

defineOperator({
  name: "SumByIndex",
  domain: INTERNAL_DOMAIN,
  attributes: { shape: "ints", axis: "int" },
  infer: ({ inputs: [updates], attributes }) => [
    { dtype: updates!.dtype, shape: numbersAttribute(attributes, "shape")! },
  ],
  gradient: ({ inputs: [, indices], gradients: [g], attributes }) => [
    gather(g!, indices, numberAttribute(attributes, "axis", 0)),
  ],
  evaluate: ({ inputs: [updates, indices], attributes, outputTypes: [{ shape }] }) => {
    const axis = numberAttribute(attributes, "axis", 0);
    const inner = sizeOf(shape.slice(axis + 1));
    const outer = sizeOf(shape.slice(0, axis));
    const data = new Float64Array(sizeOf(shape));
    let from = 0;
    for (let o = 0; o < outer; o++)
      for (const index of indices.data) {
        const to = (o * shape[axis] + position(index, shape[axis])) * inner;
        for (let i = 0; i < inner; i++) data[to + i] += updates.data[from++];
      }
    return [{ shape, data }];
  },
  lower: ({ inputs: [updates, indices], outputs: [{ shape }], attributes }) => [
    sumInParallel(updates!, indices!, shape, numberAttribute(attributes, "axis", 0)),
  ],
});

/**
 * Sums slices that share an index: the transpose of `gather`, whose result has `shape`. `updates` has the shape that
 * `gather` would give.
 */
export function sumByIndex(updates: Value, indices: Value, shape: Shape, axis: number): Value {
  return apply(updates.graph, "SumByIndex", [updates, indices], { shape: [...shape], axis })[0];
}

/** Rows up to this many are summed by a product with a one-hot matrix, more by ScatterElements. */
const ONE_HOT_ROWS = 256;

/**
 * `sumByIndex` for any number of threads.
 *
 * Never ScatterND with `add`: on several threads ONNX Runtime 1.30 loses updates whose indices coincide (on one it is
 * what lowering/single-thread.ts takes). Of the ways that are right, measured with 4096 indices of width 256 on one CPU
 * thread, a one-hot product against ScatterElements in milliseconds: 100 rows 3.5 and 9.5, 256 rows 8 and 9, 512 rows 18
 * and 10, 1000 rows 35 and 9, 10000 rows 670 and 43. ScatterElements runs up to three times faster when the axis is the
 * last.
 */
function sumInParallel(updates: Value, indices: Value, shape: Shape, axis: number): Value {
  const rows = shape[axis];
  const count = sizeOf(indices.shape);
  const before = sizeOf(shape.slice(0, axis));
  const after = sizeOf(shape.slice(axis + 1));
  if (rows <= ONE_HOT_ROWS) {
    const hot = oneHot(reshape(indices, [count]), rows, { axis: 0, dtype: updates.dtype });
    return reshape(
      matmul(hot, reshape(updates, before === 1 ? [count, after] : [before, count, after])),
      shape,
    );
  }
  const last = reshape(transpose(reshape(updates, [before, count, after]), [0, 2, 1]), [-1, count]);
  const summed = scatterElements(
    expand(scalar(updates.graph, 0, updates.dtype), [before * after, rows]),
    expand(reshape(indices, [1, count]), [before * after, count]),
    last,
    { axis: 1, reduction: "add" },
  );
  return reshape(transpose(reshape(summed, [before, after, rows]), [0, 2, 1]), shape);
}

/**
 * `target` plus `updates` added to its slices at `indices` along an axis; slices named several times receive every
 * update. `updates` has the shape of `gather(target, indices, axis)`.
 */
export function scatterAdd(target: Value, indices: Value, updates: Value, axis = 0): Value {
  const at = normalizeAxis(axis, target.shape.length);
  const expected = [...target.shape.slice(0, at), ...indices.shape, ...target.shape.slice(at + 1)];
  if (!sameShape(updates.shape, expected))
    throw new Error(`updates have shape [${updates.shape}], expected [${expected}]`);
  return add(target, sumByIndex(updates, indices, target.shape, at));
}

// Single elements along one axis -------------------------------------------------------------------------------------

/** Offsets in an array of `shape` of the elements that `indices` names along `axis`, in the order of `indices`. */
function elementOffsets(indices: Numeric, shape: Shape, axis: number): number[] {
  const strides = stridesOf(shape);
  const offsets: number[] = [];
  forEachIndex(indices.shape, (index, flat) => {
    const at = position(indices.data[flat], shape[axis]);
    offsets.push(offsetOf(index, strides) + (at - index[axis]) * strides[axis]);
  });
  return offsets;
}

defineOperator({
  name: "GatherElements",
  attributes: { axis: "int" },
  infer: ({ inputs: [x, indices], attributes }) => {
    if (x!.shape.length !== indices!.shape.length)
      throw new Error(`indices [${indices!.shape}] must have the rank of the data [${x!.shape}]`);
    normalizeAxis(numberAttribute(attributes, "axis", 0), x!.shape.length);
    return [{ dtype: x!.dtype, shape: indices!.shape }];
  },
  gradient: ({ inputs: [x, indices], gradients: [dy], attributes }) => [
    scatterElements(zerosLike(x), indices, dy!, {
      axis: numberAttribute(attributes, "axis", 0),
      reduction: "add",
    }),
  ],
  evaluate: ({ inputs: [x, indices], attributes }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), x.shape.length);
    return [
      {
        shape: indices.shape,
        data: Float64Array.from(elementOffsets(indices, x.shape, axis), (o) => x.data[o]),
      },
    ];
  },
});

/** One element for each index: y[i, j] = x[indices[i, j], j] for axis 0. */
export function gatherElements(x: Value, indices: Value, axis = 0): Value {
  return apply(x.graph, "GatherElements", [x, indices], { axis })[0];
}

defineOperator({
  name: "ScatterElements",
  attributes: { axis: "int", reduction: "string" },
  infer: ({ inputs: [x, indices, updates], attributes }) => {
    if (!sameShape(indices!.shape, updates!.shape) || indices!.shape.length !== x!.shape.length)
      throw new Error(
        `data [${x!.shape}], indices [${indices!.shape}] and updates [${updates!.shape}] must have one rank, the last two one shape`,
      );
    normalizeAxis(numberAttribute(attributes, "axis", 0), x!.shape.length);
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: ({ inputs: [, indices, updates], gradients: [dy], attributes, wanted }) => {
    const axis = numberAttribute(attributes, "axis", 0);
    const accumulates = reductionOf(attributes.reduction, "ScatterElements");
    return [
      wanted[0]
        ? accumulates
          ? dy
          : scatterElements(dy!, indices, zerosLike(updates), { axis })
        : undefined,
      undefined,
      wanted[2] ? gatherElements(dy!, indices, axis) : undefined,
    ];
  },
  evaluate: ({ inputs: [x, indices, updates], attributes }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", 0), x.shape.length);
    const data = x.data.slice();
    const accumulates = reductionOf(attributes.reduction, "ScatterElements");
    elementOffsets(indices, x.shape, axis).forEach((offset, i) => {
      data[offset] = updates.data[i] + (accumulates ? data[offset] : 0);
    });
    return [{ shape: x.shape, data }];
  },
});

/** Whether a scatter accumulates; throws for the reductions that are neither `none` nor `add`. */
export function reductionOf(reduction: unknown, op: string): boolean {
  if (reduction !== undefined && reduction !== "none" && reduction !== "add")
    throw new Error(`${op} with reduction "${reduction}" is not supported; "none" and "add" are`);
  return reduction === "add";
}

export interface ScatterOptions {
  axis?: number;
  /** `none` replaces (an index may occur once), `add` accumulates. */
  reduction?: "none" | "add";
}

/** `x` with elements replaced or added to: y[indices[i, j], j] = updates[i, j] for axis 0. */
export function scatterElements(
  x: Value,
  indices: Value,
  updates: Value,
  { axis = 0, reduction = "none" }: ScatterOptions = {},
): Value {
  return apply(x.graph, "ScatterElements", [x, indices, updates], { axis, reduction })[0];
}

// One-hot ------------------------------------------------------------------------------------------------------------

defineOperator({
  name: "OneHot",
  attributes: { axis: "int" },
  infer: (call) => {
    const [indices, , values] = call.inputs;
    const [depth] = requireConstant(call, 1, "depth");
    const rank = indices!.shape.length + 1;
    const axis = normalizeAxis(numberAttribute(call.attributes, "axis", -1), rank);
    return [
      {
        dtype: values!.dtype,
        shape: [...indices!.shape.slice(0, axis), depth, ...indices!.shape.slice(axis)],
      },
    ];
  },
  evaluate: ({ inputs: [indices, depth, values], attributes, outputTypes: [type] }) => {
    const axis = normalizeAxis(numberAttribute(attributes, "axis", -1), type.shape.length);
    const length = depth.data[0];
    const inner = sizeOf(indices.shape.slice(axis));
    const data = new Float64Array(sizeOf(type.shape)).fill(values.data[0]);
    indices.data.forEach((index, flat) => {
      if (index < -length || index >= length) return;
      const at = position(index, length);
      data[(Math.floor(flat / inner) * length + at) * inner + (flat % inner)] = values.data[1];
    });
    return [{ shape: type.shape, data }];
  },
});

export interface OneHotOptions {
  /** Where the new axis goes in the result; last by default. */
  axis?: number;
  dtype?: DType;
}

/** 1 at each index of a new axis of length `depth`, 0 elsewhere; indices out of range give zeros. */
export function oneHot(
  indices: Value,
  depth: number,
  { axis = -1, dtype = "float32" }: OneHotOptions = {},
): Value {
  const { graph } = indices;
  const values = constant(graph, tensor(dtype, [2], [0, 1]));
  // ONNX Runtime has no OneHot whose indices and depth differ in type.
  return apply(graph, "OneHot", [cast(indices, "int64"), scalar(graph, depth, "int64"), values], { axis })[0];
}
