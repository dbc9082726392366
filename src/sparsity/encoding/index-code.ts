import { Problem } from "../../problem.ts";
import type { Pattern } from "../runs.ts";
import type { BitReader, BitWriter } from "./bits.ts";

/** Writes which weights are in use by the run code: exactly `runCodeBits` bits (turbovbi.md 3.8). */
export function writeRuns(writer: BitWriter, { lines, columns, mask }: Pattern): void {
  for (let line = 0, at = 0; line < lines; line++, at += columns) {
    const codes: number[] = [];
    let end = -1;
    for (let column = 0; column < columns; column++) {
      if (!mask[at + column]) continue;
      const start = column;
      while (column < columns && mask[at + column]) column++;
      codes.push(start - end, column - start);
      end = column;
    }
    writer.gamma(codes.length / 2 + 1);
    for (const code of codes) writer.gamma(code);
  }
}

/** The reverse: 1 for each weight in use, row-major. */
export function readRuns(reader: BitReader, lines: number, columns: number): Uint8Array {
  const mask = new Uint8Array(lines * columns);
  for (let line = 0, at = 0; line < lines; line++, at += columns) {
    let end = -1;
    for (let runs = reader.gamma(columns + 1) - 1; runs > 0; runs--) {
      const start = end + reader.gamma(columns);
      if (start >= columns) throw new Problem("a run of weights begins behind the end of its line");
      end = start + reader.gamma(columns - start);
      mask.fill(1, at + start, at + end);
    }
  }
  return mask;
}

/** One bit a weight. */
export function writeBitmap(writer: BitWriter, { mask }: Pattern): void {
  for (let i = 0; i < mask.length; i++) writer.write(mask[i] ? 1 : 0, 1);
}

export function readBitmap(reader: BitReader, lines: number, columns: number): Uint8Array {
  const mask = new Uint8Array(lines * columns);
  for (let i = 0; i < mask.length; i++) mask[i] = reader.read(1);
  return mask;
}
