import { Problem } from "../../problem.ts";
import type { BitReader, BitWriter } from "./bits.ts";
import { createBitWriter } from "./bits.ts";
import { canonicalCodes, codeLengths, readLengths, symbolReader, writeLengths } from "./huffman.ts";

/** More distinct values than that are written as they are. */
export const MOST_SYMBOLS = 65_536;

/** How values are stored: as they are; by Huffman codes of a table of floats; of whole multiples of a step. */
export type ValueFormat = "floats" | "table" | "multiples";
export const FORMATS: readonly ValueFormat[] = ["floats", "table", "multiples"];

/** What the values of a tensor need. Values are float32, given by their bits, so that nothing is rounded. */
export interface ValuePlan {
  format: ValueFormat;
  /** With the table. */
  bits: number;
  write(writer: BitWriter): void;
  /** The distinct values in their order, but for floats. */
  alphabet?: Alphabet;
}

/** Distinct values in the order of the floats, and what they are multiples of, if anything. */
export interface Alphabet {
  patterns: Uint32Array;
  multiples?: { step: number; factors: readonly number[] };
}

/** Distinct values, given by their bits, in the order of the floats, and how often each comes. */
export interface Histogram {
  patterns: Uint32Array;
  counts: readonly number[];
}

/**
 * The shortest way to write values.
 *
 * @param patterns Their bits.
 * @param step Where they are multiples of something, this.
 */
export function planValues(patterns: Uint32Array, step?: number): ValuePlan {
  const histogram = histogramOf(patterns);
  const code = histogram && huffmanCode(histogram, step);
  if (!code || code.bits >= floatBits(patterns.length))
    return {
      format: "floats",
      bits: floatBits(patterns.length),
      write: (writer) => {
        writer.write(FORMATS.indexOf("floats"), 2);
        for (const p of patterns) writer.write(p, 32);
      },
    };
  const { head, lengths, bits, factors } = code;
  const symbols = new Map(Array.from(histogram.patterns, (p, i) => [p, i]));
  return {
    format: factors ? "multiples" : "table",
    bits,
    alphabet: { patterns: histogram.patterns, multiples: factors && { step: step!, factors } },
    write: (writer) => {
      copyBits(head, writer);
      const codes = canonicalCodes(lengths);
      for (const p of patterns) {
        const symbol = symbols.get(p)!;
        writer.write(codes[symbol], lengths[symbol]);
      }
    },
  };
}

/**
 * Bits that `planValues` needs.
 *
 * @param histogram Undefined where there are more than `MOST_SYMBOLS` distinct values.
 */
export function valueBits(total: number, histogram: Histogram | undefined, step?: number): number {
  return Math.min(floatBits(total), histogram ? huffmanCode(histogram, step).bits : Number.POSITIVE_INFINITY);
}

function floatBits(count: number): number {
  return 2 + 32 * count;
}

function histogramOf(patterns: Uint32Array): Histogram | undefined {
  const counts = new Map<number, number>();
  for (const p of patterns) {
    counts.set(p, (counts.get(p) ?? 0) + 1);
    if (counts.size > MOST_SYMBOLS) return undefined;
  }
  const distinct = Uint32Array.from(counts.keys()).sort((a, b) => ordered(a) - ordered(b));
  return { patterns: distinct, counts: Array.from(distinct, (p) => counts.get(p)!) };
}

/** What says which values there are and how they are coded, and the bits of all with it. */
function huffmanCode({ patterns, counts }: Histogram, step?: number) {
  const lengths = codeLengths(counts);
  const factors = step === undefined ? undefined : factorsOf(patterns, step);
  const head = createBitWriter();
  head.write(FORMATS.indexOf(factors ? "multiples" : "table"), 2);
  head.gamma(patterns.length + 1);
  if (factors) writeMultiples(head, factors, step!);
  else for (const p of patterns) head.write(p, 32);
  writeLengths(head, lengths);
  const bits = counts.reduce((sum, count, i) => sum + count * lengths[i], head.length);
  return { head, lengths, bits, factors };
}

/** The bits of `count` values. */
export function readValues(reader: BitReader, count: number): Uint32Array {
  const format = FORMATS[reader.read(2)];
  if (!format) throw new Problem("values in a format of a later version; update Filigree");
  const values = new Uint32Array(count);
  if (format === "floats") {
    for (let i = 0; i < count; i++) values[i] = reader.read(32);
    return values;
  }
  const symbols = reader.gamma(MOST_SYMBOLS + 1) - 1;
  if (symbols === 0 && count > 0) throw new Problem("a tensor has weights in use, but no values");
  const alphabet =
    format === "multiples"
      ? readMultiples(reader, symbols)
      : Uint32Array.from({ length: symbols }, () => reader.read(32));
  const next = symbolReader(readLengths(reader, symbols));
  for (let i = 0; i < count; i++) values[i] = alphabet[next(reader)];
  return values;
}

/** Bits of floats in the order of the floats. */
function ordered(pattern: number): number {
  return (pattern & 0x80000000 ? ~pattern : pattern | 0x80000000) >>> 0;
}

/** The factors of values that are multiples of a step, in float32; undefined where one is not. */
function factorsOf(alphabet: Uint32Array, step: number): number[] | undefined {
  const values = new Float32Array(alphabet.buffer, alphabet.byteOffset, alphabet.length);
  const factors = Array.from(values, (v) => Math.round(v / step));
  return factors.every((f, i) => f !== 0 && Math.abs(f) < 2 ** 30 && Math.fround(f * step) === values[i])
    ? factors
    : undefined;
}

/** The step, the first factor, and how far it is from each to the next. */
function writeMultiples(writer: BitWriter, factors: readonly number[], step: number): void {
  writer.write(new Uint32Array(Float32Array.of(step).buffer)[0], 32);
  factors.forEach((f, i) => {
    if (i > 0) writer.gamma(f - factors[i - 1]);
    else writer.gamma(f > 0 ? 2 * f : 1 - 2 * f);
  });
}

function readMultiples(reader: BitReader, symbols: number): Uint32Array {
  const step = new Float32Array(Uint32Array.of(reader.read(32)).buffer)[0];
  const values = new Float32Array(symbols);
  for (let i = 0, factor = 0; i < symbols; i++) {
    const coded = reader.gamma(2 ** 31);
    if (i > 0) factor += coded;
    else factor = coded % 2 ? (1 - coded) / 2 : coded / 2;
    values[i] = factor * step;
  }
  return new Uint32Array(values.buffer);
}

function copyBits(from: BitWriter, to: BitWriter): void {
  const bytes = from.finish();
  for (let i = 0, left = from.length; left > 0; i++, left -= 8)
    to.write(left < 8 ? bytes[i] >> (8 - left) : bytes[i], Math.min(8, left));
}
