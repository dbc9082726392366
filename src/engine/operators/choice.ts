import type { Value, ValueType } from "../graph.ts";
import { broadcastShapes } from "../shapes.ts";
import { and, greaterOrEqual, lessOrEqual } from "./comparison.ts";
import { broadcastMap } from "./elementwise.ts";
import type { Operand } from "./operator.ts";
import { apply, defineOperator, operandValue } from "./operator.ts";
import { sumTo } from "./reduction.ts";

defineOperator({
  name: "Where",
  infer: ({ inputs: [c, a, b] }) => {
    if (c!.dtype !== "bool") throw new Error(`the condition is ${c!.dtype}, expected bool`);
    return [{ dtype: a!.dtype, shape: broadcastShapes(c!.shape, a!.shape, b!.shape) }];
  },
  gradient: ({ inputs: [c, a, b], gradients: [dy], wanted }) => [
    undefined,
    wanted[1] ? sumTo(where(c, dy!, 0), a.shape) : undefined,
    wanted[2] ? sumTo(where(c, 0, dy!), b.shape) : undefined,
  ],
  evaluate: ({ inputs }) => [broadcastMap(inputs, ([c, a, b]) => (c ? a : b))],
});

/** `a` where `condition`, else `b`. Two plain numbers take their dtype from `like` (float32 without it). */
export function where(condition: Value, a: Operand, b: Operand, like?: Value): Value {
  const reference = like ??
    [a, b].find((v): v is Value => typeof v !== "number") ?? { ...condition, dtype: "float32" as const };
  return apply(condition.graph, "Where", [
    condition,
    operandValue(a, reference),
    operandValue(b, reference),
  ])[0];
}

defineOperator({
  name: "Clip",
  infer: ({ inputs: [x] }) => [x as ValueType],
  gradient: ({ inputs: [x, low, high], gradients: [dy] }) => {
    let inside: Value | undefined = low && greaterOrEqual(x, low);
    if (high) inside = inside ? and(inside, lessOrEqual(x, high)) : lessOrEqual(x, high);
    return [inside ? where(inside, dy!, 0) : dy];
  },
  evaluate: ({ inputs: [x, low, high] }) => [
    {
      shape: x.shape,
      data: x.data.map((v) => Math.min(Math.max(v, low?.data[0] ?? -Infinity), high?.data[0] ?? Infinity)),
    },
  ],
});

/** x limited to [low, high]; either bound may be absent. The gradient passes where low ≤ x ≤ high. */
export function clip(x: Value, low?: number, high?: number): Value {
  const bound = (v: number | undefined) => (v === undefined ? undefined : operandValue(v, x));
  return apply(x.graph, "Clip", [x, bound(low), bound(high)])[0];
}
