import { Problem } from "../../problem.ts";
import type { Pattern, PatternStatistics } from "../runs.ts";
import { patternStatistics } from "../runs.ts";
import { createBitReader, createBitWriter } from "./bits.ts";
import { readBitmap, readRuns, writeBitmap, writeRuns } from "./index-code.ts";
import type { ValueFormat } from "./values-code.ts";
import { planValues, readValues } from "./values-code.ts";

/** A row-major matrix of float32 numbers, given by their bits. */
export interface PatternMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly patterns: Uint32Array;
}

export interface EncodedTensor {
  bytes: Uint8Array;
  /** Lines are columns of the matrix. */
  turned: boolean;
  index: "runs" | "bitmap";
  values: ValueFormat;
  indexBits: number;
  valueBits: number;
  /** Along the lines. */
  statistics: PatternStatistics;
}

/**
 * A matrix without its zeros, and without loss: where the others are, by whatever direction and code takes the fewest bits, then
 * their values. −0 is not a zero here.
 *
 * @param step What the values are multiples of, if anything.
 */
export function encodeTensor(matrix: PatternMatrix, step?: number): EncodedTensor {
  const [along, across] = [matrix, turn(matrix)].map((m) => {
    const pattern: Pattern = { lines: m.rows, columns: m.columns, mask: m.patterns };
    return { m, pattern, statistics: patternStatistics(pattern) };
  });
  const turned = across.statistics.indexBits.runs < along.statistics.indexBits.runs;
  const { m, pattern, statistics } = turned ? across : along;
  const { runs, bitmap } = statistics.indexBits;
  const index = runs <= bitmap ? "runs" : "bitmap";
  const values = planValues(
    m.patterns.filter((p) => p !== 0),
    step,
  );
  const writer = createBitWriter();
  (index === "runs" ? writeRuns : writeBitmap)(writer, pattern);
  const indexBits = writer.length;
  values.write(writer);
  return {
    bytes: writer.finish(),
    turned,
    index,
    values: values.format,
    indexBits,
    valueBits: values.bits,
    statistics,
  };
}

/** The reverse: the bits of the numbers, row-major. Allocates a few times their size. */
export function decodeTensor(
  { bytes, turned, index }: Pick<EncodedTensor, "bytes" | "turned" | "index">,
  rows: number,
  columns: number,
): Uint32Array {
  const reader = createBitReader(bytes);
  const [lines, length] = turned ? [columns, rows] : [rows, columns];
  const mask = (index === "runs" ? readRuns : readBitmap)(reader, lines, length);
  let used = 0;
  for (let i = 0; i < mask.length; i++) used += mask[i];
  const values = readValues(reader, used);
  if (bytes.length !== Math.ceil(reader.position / 8))
    throw new Problem("the code of a tensor is longer than its weights");
  const patterns = new Uint32Array(mask.length);
  for (let i = 0, next = 0; i < mask.length; i++) if (mask[i]) patterns[i] = values[next++];
  return turned ? turn({ rows: lines, columns: length, patterns }).patterns : patterns;
}

function turn({ rows, columns, patterns }: PatternMatrix): PatternMatrix {
  const turned = new Uint32Array(patterns.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = patterns[row * columns + column];
  return { rows: columns, columns: rows, patterns: turned };
}
