import { Problem } from "../../problem.ts";
import { deriveSeed } from "../../random.ts";

/** Turns values into patterns: the numbers of the active inputs, out of `size`. Similar values share inputs. */
export interface Encoder<T> {
  readonly size: number;
  encode(value: T): number[];
}

/** The places of a list whose values are above `threshold`. */
export function encodeBits(values: ArrayLike<number>, threshold = 0): number[] {
  const active: number[] = [];
  for (let i = 0; i < values.length; i++) if (values[i] > threshold) active.push(i);
  return active;
}

export interface ScalarOptions {
  min: number;
  max: number;
  /** Inputs in all. */
  size: number;
  /** Active inputs of every value. */
  active: number;
}

/**
 * A number as a block of neighbouring inputs: two values share the fewer the farther apart they are, and none from
 * `active/(size − active)` of the range on. Values outside the range are taken for its nearest end.
 */
export function scalarEncoder({ min, max, size, active }: ScalarOptions): Encoder<number> {
  if (!(max > min))
    throw new Problem(`scalar encoder: the range ${min} to ${max} is empty; max must be larger`);
  checkActive("scalar", active, size);
  return {
    size,
    encode: (value) => {
      if (Number.isNaN(value)) throw new Problem("scalar encoder: the value is not a number");
      const share = Math.min(1, Math.max(0, (value - min) / (max - min)));
      return block(Math.round(share * (size - active)), active);
    },
  };
}

/** One of several words as a block of inputs of its own: different categories share none. */
export function categoryEncoder(categories: readonly string[], active = 8): Encoder<string> {
  const places = new Map(categories.map((name, i) => [name, i]));
  if (places.size < categories.length) throw new Problem("category encoder: a category is named twice");
  return {
    size: categories.length * active,
    encode: (value) => {
      const place = places.get(value);
      if (place === undefined)
        throw new Problem(`category encoder: unknown category "${value}"; known: ${categories.join(", ")}`);
      return block(place * active, active);
    },
  };
}

export interface TextOptions {
  /** Inputs in all. Default 2048. */
  size?: number;
  /** Letters of a piece. Default 3. */
  n?: number;
  /** Active inputs of each piece. Default 2. */
  active?: number;
}

/**
 * A text as the set of its pieces of `n` letters, each hashed to a few inputs: texts share inputs as they share
 * spelling. Case and white space are levelled; word ends count as letters.
 */
export function textEncoder({ size = 2048, n = 3, active = 2 }: TextOptions = {}): Encoder<string> {
  checkActive("text", active, size);
  return {
    size,
    encode: (text) => {
      const letters = [...` ${text.toLowerCase().split(/\s+/u).filter(Boolean).join(" ")} `];
      const inputs = new Set<number>();
      if (letters.length <= 2) return [];
      for (let i = 0; i <= Math.max(0, letters.length - n); i++)
        for (let a = 0; a < active; a++) inputs.add(deriveSeed(a, letters.slice(i, i + n).join("")) % size);
      return [...inputs].sort((x, y) => x - y);
    },
  };
}

/** Several encoders side by side: one value for each, one pattern for all. */
export function joinEncoders<T extends readonly unknown[]>(
  ...encoders: { [I in keyof T]: Encoder<T[I]> }
): Encoder<T> {
  const offsets: number[] = [];
  let size = 0;
  for (const encoder of encoders) {
    offsets.push(size);
    size += encoder.size;
  }
  return {
    size,
    encode: (values) =>
      encoders.flatMap((encoder, i) => encoder.encode(values[i]).map((j) => offsets[i] + j)),
  };
}

const block = (start: number, length: number) => Array.from({ length }, (_, i) => start + i);

function checkActive(name: string, active: number, size: number): void {
  if (!(Number.isInteger(active) && active >= 1 && active <= size))
    throw new Problem(`${name} encoder: ${active} active inputs of ${size}; expected 1 to ${size}`);
}
