import { Problem } from "../../../problem.ts";

/** `value` where it lies strictly between 0 and 1. Throws a `Problem` that names it otherwise. */
export function probability(name: string, value: number): number {
  if (!(value > 0 && value < 1))
    throw new Problem(`turbo-vbi: ${name} must be a probability between 0 and 1, found ${value}`);
  return value;
}
