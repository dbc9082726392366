import type { Room, Slot } from "./cells.ts";
import type { SparseMatrix } from "./matrix.ts";

/** Weights in a row whose inputs lie side by side: what one vector instruction multiplies. */
const QUAD = 4;

/** A row of single weights, cut into quads and what is left over. */
export interface RunRow {
  /** First entry of each quad, and how many of its weights another quad has already. */
  quads: { at: number; skip: number }[];
  /** All other entries. */
  singles: number[];
}

/**
 * Cuts the runs of a row of compressed rows. The last quad of a run that is no multiple of four is moved back so that it ends
 * with the run, where that spares two single weights or more.
 *
 * @param offsets Byte offset of the input of each entry.
 */
export function cutRuns(offsets: ArrayLike<number>): RunRow {
  const row: RunRow = { quads: [], singles: [] };
  for (let start = 0, end = 0; start < offsets.length; start = end) {
    for (end = start + 1; end < offsets.length && offsets[end] === offsets[end - 1] + 4; ) end++;
    let at = start;
    for (; at + QUAD <= end; at += QUAD) row.quads.push({ at, skip: 0 });
    const left = end - at;
    if (left > 1 && end - start > QUAD) row.quads.push({ at: end - QUAD, skip: QUAD - left });
    else for (; at < end; at++) row.singles.push(at);
  }
  return row;
}

/** Compressed rows with their runs cut. */
export function cutRows(
  { starts, indices }: SparseMatrix,
  offset: (row: number, column: number) => number,
): RunRow[] {
  return Array.from({ length: starts.length - 1 }, (_, row) =>
    cutRuns(Array.from(indices.subarray(starts[row], starts[row + 1]), (column) => offset(row, column))),
  );
}

/** Share of the weights that quads have; 0 where no two inputs lie side by side. */
export function shareInQuads(rows: readonly RunRow[], { values }: SparseMatrix): number {
  const singles = rows.reduce((sum, row) => sum + row.singles.length, 0);
  return values.length === 0 ? 0 : 1 - singles / values.length;
}

/**
 * Puts them into memory as the kernel `runVector` reads them: bounds in bytes, quads of an offset and four weights, then
 * single weights, filled up to an even number with a weight of 0 on a number that the row reads anyway.
 */
export function reserveRuns(
  room: Room,
  rows: readonly RunRow[],
  { starts, indices, values }: SparseMatrix,
  offset: (row: number, column: number) => number,
): { starts: Slot; entries: Slot } {
  const bounds = new Uint32Array(2 * rows.length + 1);
  rows.forEach(({ quads, singles }, row) => {
    bounds[2 * row + 1] = bounds[2 * row] + 4 * (1 + QUAD) * quads.length;
    bounds[2 * row + 2] = bounds[2 * row + 1] + 16 * Math.ceil(singles.length / 2);
  });
  return {
    starts: room.reserve(bounds.byteLength, (memory, address) =>
      new Uint32Array(memory, address, bounds.length).set(bounds),
    ),
    entries: room.reserve(bounds[2 * rows.length], (memory, address) => {
      const offsets = new Uint32Array(memory, address, bounds[2 * rows.length] / 4);
      const weights = new Float32Array(memory, address, offsets.length);
      rows.forEach(({ quads, singles }, row) => {
        let to = bounds[2 * row] / 4;
        const from = starts[row];
        const place = (e: number) => offset(row, indices[from + e]);
        for (const { at, skip } of quads) {
          offsets[to] = place(at);
          weights.set(values.subarray(from + at + skip, from + at + QUAD), to + 1 + skip);
          to += 1 + QUAD;
        }
        for (const e of singles) {
          offsets[to] = place(e);
          weights[to + 1] = values[from + e];
          to += 2;
        }
        if (singles.length % 2) offsets[to] = offsets[to - 2];
      });
    }),
  };
}
