import { Problem } from "../../problem.ts";

/** A positive quantity of every group: one number for all of them, or m numbers. */
export type PerGroup = number | Float64Array;

/**
 * A quantity as loops read it: group j's value is `values[j & mask]`. The mask is 0 when one number serves all groups
 * and −1 otherwise, so that one loop handles both without a branch.
 */
export interface GroupValues {
  readonly values: Float64Array;
  readonly mask: 0 | -1;
}

/** Checks that `quantity` is positive and finite, and has m entries unless it is a single number. */
export function groupValues(quantity: PerGroup, m: number, name: string): GroupValues {
  if (typeof quantity === "number") return { values: Float64Array.of(positive(quantity, name)), mask: 0 };
  if (quantity.length !== m)
    throw new Problem(`wgsef: ${name} has ${quantity.length} entries for ${m} groups; give one per group`);
  for (let j = 0; j < m; j++)
    if (!(quantity[j] > 0 && quantity[j] < Infinity)) positive(quantity[j], `${name} of group ${j}`);
  return { values: quantity, mask: -1 };
}

/** `value` itself, or a `Problem` when it is not a positive finite number. */
export function positive(value: number, name: string): number {
  if (!(value > 0 && value < Infinity))
    throw new Problem(`wgsef: ${name} is ${value}; it must be a positive finite number`);
  return value;
}

/** `value` itself, or a `Problem` when it is negative or not finite. */
export function notNegative(value: number, name: string): number {
  if (!(value >= 0 && value < Infinity))
    throw new Problem(`wgsef: ${name} is ${value}; it must be finite and not negative`);
  return value;
}
