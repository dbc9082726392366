import { Problem } from "../problem.ts";

// What a user gives, each with its name in the message.

export function checkWhole(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new Problem(`${name} is ${value}; take a whole number ${range}`);
}

export function checkPositive(name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw new Problem(`${name} is ${value}; take a number above 0`);
}

export function checkNotNegative(name: string, value: number): void {
  if (!(value >= 0 && Number.isFinite(value)))
    throw new Problem(`${name} is ${value}; take a number of at least 0`);
}

export function checkOneOf(name: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) throw new Problem(`${name} is "${value}"; take one of ${known.join(", ")}`);
}

/** Throws a `Problem` unless there are `length` numbers, all finite. */
export function checkNumbers(name: string, values: ArrayLike<number>, length: number): void {
  if (values.length !== length)
    throw new Problem(`${name} is of length ${values.length}; give ${length} numbers`);
  for (let i = 0; i < length; i++)
    if (!Number.isFinite(values[i]))
      throw new Problem(`${name} has ${values[i]} at place ${i}, from 0; give finite numbers`);
}
