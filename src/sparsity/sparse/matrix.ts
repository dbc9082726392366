/** Rows that one block covers. Four weights fill a 128-bit vector. */
export const BLOCK_ROWS = 4;

/**
 * A matrix [rows, columns] without its zeros. `row`: compressed rows, one weight an entry. `block`: blocks of four rows
 * and one column, kept where any of the four weights is not zero.
 */
export interface SparseMatrix {
  readonly kind: "row" | "block";
  readonly rows: number;
  readonly columns: number;
  /** Entries of run i are starts[i] .. starts[i+1]−1; a run is a row, or four rows. */
  readonly starts: Int32Array;
  /** Column of each entry, rising within a run. */
  readonly indices: Int32Array;
  /** One weight an entry, or four. */
  readonly values: Float32Array;
}

/** Compresses a row-major matrix; whatever is not exactly zero is kept. Blocks need a multiple of four rows. */
export function compressMatrix(
  kind: SparseMatrix["kind"],
  dense: Float32Array,
  rows: number,
  columns: number,
): SparseMatrix {
  const height = kind === "row" ? 1 : BLOCK_ROWS;
  if (dense.length !== rows * columns || rows % height !== 0)
    throw new RangeError(
      `${dense.length} weights as ${kind} matrix of ${rows} rows and ${columns} columns: blocks take ${BLOCK_ROWS} rows at a time`,
    );
  const starts = new Int32Array(rows / height + 1);
  const indices: number[] = [];
  const values: number[] = [];
  for (let run = 0; run < rows / height; run++) {
    const at = run * height * columns;
    for (let column = 0; column < columns; column++) {
      let used = false;
      for (let r = 0; r < height; r++) used ||= dense[at + r * columns + column] !== 0;
      if (!used) continue;
      indices.push(column);
      for (let r = 0; r < height; r++) values.push(dense[at + r * columns + column]);
    }
    starts[run + 1] = indices.length;
  }
  return {
    kind,
    rows,
    columns,
    starts,
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  };
}

/** The matrix with its zeros, row-major. */
export function denseMatrix({ kind, rows, columns, starts, indices, values }: SparseMatrix): Float32Array {
  const height = kind === "row" ? 1 : BLOCK_ROWS;
  const dense = new Float32Array(rows * columns);
  for (let run = 0; run < starts.length - 1; run++)
    for (let e = starts[run]; e < starts[run + 1]; e++)
      for (let r = 0; r < height; r++)
        dense[(run * height + r) * columns + indices[e]] = values[e * height + r];
  return dense;
}

/** The entries in columns from .. to−1, in a matrix of the same size. */
export function columnRange(matrix: SparseMatrix, from: number, to: number): SparseMatrix {
  const { kind, indices, values } = matrix;
  const height = kind === "row" ? 1 : BLOCK_ROWS;
  const starts = new Int32Array(matrix.starts.length);
  const kept = new Int32Array(indices.length);
  let count = 0;
  for (let run = 0; run < starts.length - 1; run++) {
    for (let e = matrix.starts[run]; e < matrix.starts[run + 1]; e++)
      if (indices[e] >= from && indices[e] < to) kept[count++] = e;
    starts[run + 1] = count;
  }
  const ofRange = new Float32Array(count * height);
  for (let i = 0; i < count; i++)
    ofRange.set(values.subarray(kept[i] * height, (kept[i] + 1) * height), i * height);
  return { ...matrix, starts, indices: kept.subarray(0, count).map((e) => indices[e]), values: ofRange };
}

/** Bytes of the starts, 32-bit indices and 32-bit weights. */
export function matrixBytes({ starts, indices, values }: SparseMatrix): number {
  return starts.byteLength + indices.byteLength + values.byteLength;
}

/** Share of the stored weights that are not zero: 1 for compressed rows, less where blocks are not full. */
export function fillOf({ values }: SparseMatrix): number {
  let used = 0;
  for (const v of values) if (v !== 0) used++;
  return values.length === 0 ? 1 : used / values.length;
}
