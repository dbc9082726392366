import type { Value } from "../graph.ts";
import { stridesOf } from "../shapes.ts";
import { apply, defineOperator, numbersAttribute } from "./operator.ts";
import { strided } from "./strided.ts";

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

/** The axes of what is transposed in the order of the result; reversed by default. */
export function permutationOf(rank: number, perm: number[] | undefined): number[] {
  const result = perm ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (result.length !== rank || new Set(result).size !== rank || !result.every((p) => p >= 0 && p < rank))
    throw new Error(`perm [${result}] is not a permutation of ${rank} axes`);
  return result;
}

/** Axis `i` of the result is axis `perm[i]` of `x`; without `perm` the order is reversed. */
export function transpose(x: Value, perm?: readonly number[]): Value {
  return apply(x.graph, "Transpose", [x], perm ? { perm } : {})[0];
}
