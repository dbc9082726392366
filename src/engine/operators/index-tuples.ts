import type { Value } from "../graph.ts";
import { constant } from "../graph.ts";
import { sameShape, stridesOf } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf, tensor } from "../tensor.ts";
import { add, mul } from "./arithmetic.ts";
import { where } from "./choice.ts";
import { greaterOrEqual } from "./comparison.ts";
import { position, reductionOf, sumByIndex, zerosLike } from "./indexing.ts";
import type { Numeric } from "./operator.ts";
import { apply, defineOperator, integers, numberAttribute } from "./operator.ts";
import { reduceSum } from "./reduction.ts";
import { reshape } from "./reshape.ts";

/** Offsets of the slices that index tuples name, and how many elements a slice has. */
function tupleOffsets(
  indices: Numeric,
  shape: Shape,
  batchDims: number,
): { offsets: number[]; length: number } {
  const depth = indices.shape[indices.shape.length - 1];
  const strides = stridesOf(shape);
  const length = sizeOf(shape.slice(batchDims + depth));
  const perBatch = sizeOf(indices.shape.slice(batchDims, -1));
  const batchStride = sizeOf(shape.slice(batchDims));
  const offsets = Array.from({ length: sizeOf(indices.shape.slice(0, -1)) }, (_, tuple) => {
    let offset = Math.floor(tuple / perBatch) * batchStride;
    for (let d = 0; d < depth; d++)
      offset += position(indices.data[tuple * depth + d], shape[batchDims + d]) * strides[batchDims + d];
    return offset;
  });
  return { offsets, length };
}

defineOperator({
  name: "GatherND",
  attributes: { batch_dims: "int" },
  infer: ({ inputs: [x, indices], attributes }) => {
    const batch = numberAttribute(attributes, "batch_dims", 0);
    const depth = indices!.shape[indices!.shape.length - 1];
    if (
      batch + depth > x!.shape.length ||
      !sameShape(x!.shape.slice(0, batch), indices!.shape.slice(0, batch))
    )
      throw new Error(`indices [${indices!.shape}] do not fit data [${x!.shape}] with batch_dims ${batch}`);
    return [{ dtype: x!.dtype, shape: [...indices!.shape.slice(0, -1), ...x!.shape.slice(batch + depth)] }];
  },
  gradient: ({ inputs: [x, indices], gradients: [dy], attributes }) => {
    const batchDims = numberAttribute(attributes, "batch_dims", 0);
    const depth = indices.shape[indices.shape.length - 1];
    const slice = x.shape.slice(batchDims + depth);
    const rows = rowNumbers(indices, x.shape, batchDims);
    const flat = sumByIndex(
      reshape(dy!, [sizeOf(rows.shape), ...slice]),
      reshape(rows, [-1]),
      [sizeOf(x.shape.slice(0, batchDims + depth)), ...slice],
      0,
    );
    return [reshape(flat, x.shape)];
  },
  evaluate: ({ inputs: [x, indices], attributes, outputTypes: [type] }) => {
    const { offsets, length } = tupleOffsets(indices, x.shape, numberAttribute(attributes, "batch_dims", 0));
    const data = new Float64Array(sizeOf(type.shape));
    offsets.forEach((offset, i) => {
      data.set(x.data.subarray(offset, offset + length), i * length);
    });
    return [{ shape: type.shape, data }];
  },
});

/** Index tuples [batch…, …, depth] as row numbers [batch…, …] of the data with its batch and indexed axes joined. */
function rowNumbers(indices: Value, shape: Shape, batchDims: number): Value {
  const { graph } = indices;
  const depth = indices.shape[indices.shape.length - 1];
  const strides = stridesOf(shape.slice(0, batchDims + depth));
  const lengths = shape.slice(batchDims, batchDims + depth);
  const inside = where(greaterOrEqual(indices, 0), indices, add(indices, integers(graph, lengths)));
  const within = reduceSum(mul(inside, integers(graph, strides.slice(batchDims))), [-1]);
  if (batchDims === 0) return within;
  const starts = Array.from(
    { length: sizeOf(shape.slice(0, batchDims)) },
    (_, b) => b * strides[batchDims - 1],
  );
  const lead = [...shape.slice(0, batchDims), ...within.shape.slice(batchDims).map(() => 1)];
  return add(within, constant(graph, tensor("int64", lead, starts)));
}

/** The slices of `x` that index tuples name: indices [..., depth] give [..., ...x.shape.slice(batchDims + depth)]. */
export function gatherND(x: Value, indices: Value, batchDims = 0): Value {
  return apply(x.graph, "GatherND", [x, indices], batchDims ? { batch_dims: batchDims } : {})[0];
}

defineOperator({
  name: "ScatterND",
  attributes: { reduction: "string" },
  infer: ({ inputs: [x, indices, updates] }) => {
    const depth = indices!.shape[indices!.shape.length - 1];
    const expected = [...indices!.shape.slice(0, -1), ...x!.shape.slice(depth)];
    if (depth > x!.shape.length || !sameShape(updates!.shape, expected))
      throw new Error(`updates have shape [${updates!.shape}], expected [${expected}]`);
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: ({ inputs: [, indices, updates], gradients: [dy], attributes, wanted }) => {
    const accumulates = reductionOf(attributes.reduction, "ScatterND");
    const cleared = () => apply(dy!.graph, "ScatterND", [dy, indices, zerosLike(updates)])[0];
    return [
      wanted[0] ? (accumulates ? dy : cleared()) : undefined,
      undefined,
      wanted[2] ? gatherND(dy!, indices) : undefined,
    ];
  },
  evaluate: ({ inputs: [x, indices, updates], attributes }) => {
    const accumulates = reductionOf(attributes.reduction, "ScatterND");
    const { offsets, length } = tupleOffsets(indices, x.shape, 0);
    const data = x.data.slice();
    offsets.forEach((offset, i) => {
      for (let j = 0; j < length; j++)
        data[offset + j] = updates.data[i * length + j] + (accumulates ? data[offset + j] : 0);
    });
    return [{ shape: x.shape, data }];
  },
});

/**
 * `x` with the slices at index tuples replaced by `updates`; a tuple may occur once. To accumulate, use `scatterAdd`:
 * ONNX Runtime's ScatterND loses updates that meet.
 */
export function scatterND(x: Value, indices: Value, updates: Value): Value {
  return apply(x.graph, "ScatterND", [x, indices, updates])[0];
}
