import { Problem } from "../../problem.ts";
import type { BitReader, BitWriter } from "./bits.ts";
import type { Alphabet } from "./values-code.ts";
import { MOST_SYMBOLS } from "./values-code.ts";

/*
 * Values as levels, whole numbers but 0: the factors of a step; how many values of the table lie between them and zero; of floats
 * how far the exponent is below the largest.
 */

/** The levels of values, which are given by their bits. */
export function levelsOf(patterns: Uint32Array, { patterns: table, multiples }: Alphabet): Int32Array {
  const levels = new Int32Array(patterns.length);
  if (multiples) {
    const values = new Float32Array(patterns.buffer, patterns.byteOffset, patterns.length);
    for (let i = 0; i < levels.length; i++) levels[i] = Math.round(values[i] / multiples.step);
    return levels;
  }
  const negative = negatives(table);
  const byPattern = new Map(Array.from(table, (p, i) => [p, i < negative ? i - negative : i - negative + 1]));
  for (let i = 0; i < levels.length; i++) levels[i] = byPattern.get(patterns[i])!;
  return levels;
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

/** The levels of floats: 1 for the largest exponent, one more for each below it. */
export function exponentLevels(patterns: Uint32Array): Int32Array {
  const largest = largestExponent(patterns);
  const levels = new Int32Array(patterns.length);
  for (let i = 0; i < levels.length; i++) levels[i] = 1 + largest - exponentOf(patterns[i]);
  return levels;
}

/** What turns those into floats again: the largest exponent, and three bytes of each float, its sign and its fraction. */
export function fractionsOf(patterns: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(1 + 3 * patterns.length);
  bytes[0] = largestExponent(patterns);
  for (let i = 0, at = 1; i < patterns.length; i++) {
    const p = patterns[i];
    bytes[at++] = ((p >>> 31) << 7) | ((p >>> 16) & 127);
    bytes[at++] = p >>> 8;
    bytes[at++] = p;
  }
  return bytes;
}

/** The reverse: the bits of the float of a level, and of a place among them. */
export function fractionReader(bytes: Uint8Array): (level: number, place: number) => number {
  const largest = bytes[0];
  return (level, place) => {
    const exponent = 1 + largest - level;
    const at = 1 + 3 * place;
    if (at >= bytes.length || level < 1 || exponent < 0)
      throw new Problem("a tensor has weights in use without values, or outside of the floats");
    const high = bytes[at];
    return (
      ((high >>> 7) * 0x80000000 + (exponent << 23)) |
      ((high & 127) << 16) |
      (bytes[at + 1] << 8) |
      bytes[at + 2]
    );
  };
}

function exponentOf(pattern: number): number {
  return (pattern >>> 23) & 255;
}

function largestExponent(patterns: Uint32Array): number {
  let most = 0;
  for (const p of patterns) most = Math.max(most, exponentOf(p));
  return most;
}

/** What `writeAlphabet` wrote: the bits of the value at a level. */
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
