import type { Value } from "../graph.ts";
import {
  broadcastShapes,
  broadcastStrides,
  forEachIndex,
  offsetOf,
  sameShape,
  stridesOf,
} from "../shapes.ts";
import { sizeOf } from "../tensor.ts";
import { apply, defineOperator, integers, requireConstant } from "./operator.ts";
import { sumTo } from "./reduction.ts";
import { reshape } from "./reshape.ts";
import { strided } from "./strided.ts";

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
