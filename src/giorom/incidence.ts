import type { Value } from "../engine/graph.ts";
import { gather, reduceSum } from "../engine/operators/index.ts";
import { apply, defineOperator, INTERNAL_DOMAIN } from "../engine/operators/operator.ts";
import { sizeOf } from "../engine/tensor.ts";

// Message passing needs rows of a table for every edge, and sums of edges for every row. Each is the other's gradient, so
// when both directions are listed neither pass scatters: gathers and sums run several times as fast in ONNX Runtime.

/**
 * Which edges touch which rows.
 *
 * `index`, int32 [edges]: the row of every edge. `slots`, int32 [rows, most]: the edges of every row; places left over name the
 * last edge, whose values must be 0 wherever they are summed. Static shapes ask for spare edges at the end anyway.
 */
export interface Incidence {
  readonly index: Value;
  /** May be missing where nothing is summed and nothing trains. */
  readonly slots?: Value;
}

defineOperator({
  name: "SpreadRows",
  domain: INTERNAL_DOMAIN,
  infer: ({ inputs: [x, index] }) => [{ dtype: x!.dtype, shape: [...index!.shape, x!.shape[1]] }],
  gradient: ({ inputs: [, index, slots], gradients: [dy] }) => [collect(dy!, { index, slots })],
  evaluate: ({ inputs: [x, index], outputTypes: [{ shape }] }) => {
    const data = new Float64Array(sizeOf(shape));
    index.data.forEach((row, e) =>
      data.set(x.data.subarray(row * shape[1], (row + 1) * shape[1]), e * shape[1]),
    );
    return [{ shape, data }];
  },
  lower: ({ inputs: [x, index] }) => [gather(x!, index!)],
});

defineOperator({
  name: "CollectRows",
  domain: INTERNAL_DOMAIN,
  infer: ({ inputs: [x, , slots] }) => {
    if (!slots) throw new Error("the edges of every row must be listed where they are summed");
    return [{ dtype: x!.dtype, shape: [slots.shape[0], x!.shape[1]] }];
  },
  gradient: ({ inputs: [, index, slots], gradients: [dy] }) => [spread(dy!, { index, slots })],
  evaluate: ({ inputs: [x, , slots], outputTypes: [{ shape }] }) => {
    const data = new Float64Array(sizeOf(shape));
    const most = slots.shape[1];
    slots.data.forEach((edge, s) => {
      const row = Math.floor(s / most);
      for (let c = 0; c < shape[1]; c++) data[row * shape[1] + c] += x.data[edge * shape[1] + c];
    });
    return [{ shape, data }];
  },
  lower: ({ inputs: [x, , slots] }) => [reduceSum(gather(x!, slots!), [1])],
});

/** Rows [edges, width] of a table x [rows, width]: each edge gets its row. */
export function spread(x: Value, { index, slots }: Incidence): Value {
  return apply(x.graph, "SpreadRows", [x, index, slots])[0];
}

/** Sums [rows, width] of edges x [edges, width]: each row gets the sum of its edges. */
export function collect(x: Value, { index, slots }: Incidence): Value {
  return apply(x.graph, "CollectRows", [x, index, slots])[0];
}
