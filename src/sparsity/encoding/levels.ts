import { Problem } from "../../problem.ts";
import type { BitReader, BitWriter } from "./bits.ts";
import type { Alphabet } from "./values-code.ts";
import { MOST_SYMBOLS } from "./values-code.ts";

/*
 * Values as levels, whole numbers but 0 in the order of the values: the factors of a step, or how many values of the table lie
 * between them and zero.
 */

/** The levels of values, which are given by their bits. */
export function levelsOf(patterns: Uint32Array, { patterns: table, multiples }: Alphabet): Int32Array {
  const negative = negatives(table);
  const levels = new Map(
    Array.from(table, (p, i) => [
      p,
      multiples?.factors[i] ?? (i < negative ? i - negative : i - negative + 1),
    ]),
  );
  return Int32Array.from(patterns, (p) => levels.get(p)!);
}

/** What turns levels into values again. */
export function writeAlphabet(writer: BitWriter, { patterns: table, multiples }: Alphabet): void {
  if (multiples) {
    writer.write(new Uint32Array(Float32Array.of(multiples.step).buffer)[0], 32);
    return;
  }
  writer.gamma(table.length + 1);
  for (const p of table) writer.write(p, 32);
}

/** The reverse: the bits of the value at a level. */
export function readAlphabet(reader: BitReader, format: "table" | "multiples"): (level: number) => number {
  if (format === "multiples") {
    const value = new Float32Array(1);
    const bits = new Uint32Array(value.buffer);
    const step = new Float32Array(Uint32Array.of(reader.read(32)).buffer)[0];
    return (level) => {
      value[0] = level * step;
      return bits[0];
    };
  }
  const table = Uint32Array.from({ length: reader.gamma(MOST_SYMBOLS + 1) - 1 }, () => reader.read(32));
  const negative = negatives(table);
  return (level) => {
    const at = level < 0 ? negative + level : negative + level - 1;
    if (!(at >= 0 && at < table.length))
      throw new Problem(`a weight of level ${level}, which the table of values does not have`);
    return table[at];
  };
}

/** How many of the sorted values have a sign bit. */
function negatives(table: Uint32Array): number {
  const first = table.findIndex((p) => p >>> 31 === 0);
  return first < 0 ? table.length : first;
}
