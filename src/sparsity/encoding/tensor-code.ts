import { joined } from "../../data/bytes.ts";
import { Problem } from "../../problem.ts";
import type { Pattern, PatternStatistics } from "../runs.ts";
import { patternStatistics } from "../runs.ts";
import { decodeAdaptive, encodeAdaptive, MOST_WEIGHTS } from "./adaptive-code.ts";
import { createBitReader, createBitWriter } from "./bits.ts";
import { readBitmap, readRuns, writeBitmap, writeRuns } from "./index-code.ts";
import {
  exponentLevels,
  fractionReader,
  fractionsOf,
  levelsOf,
  readAlphabet,
  writeAlphabet,
} from "./levels.ts";
import type { ValueFormat, ValuePlan } from "./values-code.ts";
import { FORMATS, planValues, readValues } from "./values-code.ts";

/** A row-major matrix of float32 numbers, given by their bits. */
export interface PatternMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly patterns: Uint32Array;
}

/** Elias-γ codes of runs, or a bit a weight, and Huffman codes behind them; or index and values by an adaptive arithmetic code. */
export type IndexFormat = "runs" | "bitmap" | "adaptive";

export interface EncodedTensor {
  bytes: Uint8Array;
  /** Lines are columns of the matrix. */
  turned: boolean;
  index: IndexFormat;
  values: ValueFormat;
  /** Not whole numbers where the index is adaptive: both are one code then. */
  indexBits: number;
  valueBits: number;
  /** Along the lines. */
  statistics: PatternStatistics;
}

/**
 * A matrix without its zeros, and without loss: where the others are, and their values, by whatever code takes the fewest bytes.
 * −0 is not a zero here.
 *
 * @param step What the values are multiples of, if anything.
 */
export function encodeTensor(matrix: PatternMatrix, step?: number): EncodedTensor {
  const { prefix, adaptive } = encodings(matrix, step);
  return adaptive && adaptive.bytes.length < prefix.size ? adaptive : prefix.write();
}

export interface Encodings {
  /** By prefix codes, whose size in bytes is known before they are written. */
  prefix: { size: number; write(): EncodedTensor };
  /** Not of very large tensors. */
  adaptive?: EncodedTensor;
}

/** A tensor in several codes; lines are what takes fewer bits as runs. */
export function encodings(matrix: PatternMatrix, step?: number): Encodings {
  const [along, across] = [matrix, turn(matrix)].map((m) => {
    const pattern: Pattern = { lines: m.rows, columns: m.columns, mask: m.patterns };
    return { m, pattern, statistics: patternStatistics(pattern) };
  });
  const turned = across.statistics.indexBits.runs < along.statistics.indexBits.runs;
  const { m, pattern, statistics } = turned ? across : along;
  const used = withoutZeros(m.patterns);
  const values = planValues(used, step);
  const common = { turned, values: values.format, statistics };
  const { runs, bitmap } = statistics.indexBits;
  return {
    prefix: {
      size: Math.ceil((Math.min(runs, bitmap) + values.bits) / 8),
      write: () => ({ ...prefixCode(pattern, runs <= bitmap ? "runs" : "bitmap", values), ...common }),
    },
    ...(m.patterns.length <= MOST_WEIGHTS && { adaptive: { ...adaptiveCode(m, used, values), ...common } }),
  };
}

type Code = Pick<EncodedTensor, "bytes" | "index" | "indexBits" | "valueBits">;

/** Index and values one behind the other, in whole bits. */
function prefixCode(pattern: Pattern, index: "runs" | "bitmap", values: ValuePlan): Code {
  const writer = createBitWriter();
  (index === "runs" ? writeRuns : writeBitmap)(writer, pattern);
  const indexBits = writer.length;
  values.write(writer);
  return { bytes: writer.finish(), index, indexBits, valueBits: values.bits };
}

/** The values' format, and what turns levels into values; from the next whole byte on what the adaptive code takes. */
function adaptiveCode(
  { rows, columns, patterns }: PatternMatrix,
  used: Uint32Array,
  { format, alphabet }: ValuePlan,
): Code {
  const head = createBitWriter();
  head.write(FORMATS.indexOf(format), 2);
  if (alphabet) writeAlphabet(head, alphabet);
  else head.gamma(used.length + 1);
  const bits = new Uint8Array(patterns.length);
  for (let i = 0; i < bits.length; i++) bits[i] = patterns[i] === 0 ? 0 : 1;
  const levels = alphabet ? levelsOf(used, alphabet) : exponentLevels(used);
  const code = encodeAdaptive({ lines: rows, columns, bits }, spread(levels, bits));
  const bytes = joined([head.finish(), ...(alphabet ? [] : [fractionsOf(used)]), code.bytes]);
  return {
    bytes,
    index: "adaptive",
    indexBits: code.maskBits,
    valueBits: 8 * bytes.length - code.maskBits,
  };
}

/** The reverse: the bits of the numbers, row-major. Allocates a few times their size. */
export function decodeTensor(
  { bytes, turned, index }: Pick<EncodedTensor, "bytes" | "turned" | "index">,
  rows: number,
  columns: number,
): Uint32Array {
  const [lines, length] = turned ? [columns, rows] : [rows, columns];
  const { patterns, read } =
    index === "adaptive" ? readAdaptive(bytes, lines, length) : readPrefix(bytes, index, lines, length);
  if (bytes.length !== read) throw new Problem("the code of a tensor is longer than its weights");
  return turned ? turn({ rows: lines, columns: length, patterns }).patterns : patterns;
}

/** Numbers, and how many bytes they took. */
interface Decoded {
  patterns: Uint32Array;
  read: number;
}

function readPrefix(bytes: Uint8Array, index: "runs" | "bitmap", lines: number, columns: number): Decoded {
  const reader = createBitReader(bytes);
  const mask = (index === "runs" ? readRuns : readBitmap)(reader, lines, columns);
  const patterns = spread(readValues(reader, count(mask)), mask);
  return { patterns, read: Math.ceil(reader.position / 8) };
}

function readAdaptive(bytes: Uint8Array, lines: number, columns: number): Decoded {
  const head = createBitReader(bytes);
  const format = FORMATS[head.read(2)];
  if (!format) throw new Problem("values in a format of a later version; update Filigree");
  const floats = format === "floats" ? head.gamma(lines * columns + 1) - 1 : 0;
  const alphabet = format === "floats" ? undefined : readAlphabet(head, format);
  const end = Math.ceil(head.position / 8);
  const start = alphabet ? end : end + 1 + 3 * floats;
  if (start > bytes.length) throw new Problem("the code of a tensor ends too early");
  const valueAt = alphabet ?? fractionReader(bytes.subarray(end, start));
  const { bits, levels, read } = decodeAdaptive(bytes.subarray(start), lines, columns);
  const patterns = new Uint32Array(bits.length);
  for (let i = 0, next = 0; i < bits.length; i++) if (bits[i]) patterns[i] = valueAt(levels[i], next++);
  return { patterns, read: start + read };
}

/** Numbers at the places that a mask has, others 0. */
function spread<T extends Uint32Array | Int32Array>(numbers: T, mask: Uint8Array): T {
  const all = new (numbers.constructor as new (length: number) => T)(mask.length);
  for (let i = 0, next = 0; i < mask.length; i++) if (mask[i]) all[i] = numbers[next++];
  return all;
}

function withoutZeros(patterns: Uint32Array): Uint32Array {
  const used = new Uint32Array(patterns.length);
  let count = 0;
  for (const p of patterns) if (p !== 0) used[count++] = p;
  return used.slice(0, count);
}

function count(mask: Uint8Array): number {
  let used = 0;
  for (const bit of mask) used += bit;
  return used;
}

function turn({ rows, columns, patterns }: PatternMatrix): PatternMatrix {
  const turned = new Uint32Array(patterns.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = patterns[row * columns + column];
  return { rows: columns, columns: rows, patterns: turned };
}
