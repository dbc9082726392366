import type { Arena } from "../kernels/arena.ts";
import { createArena } from "../kernels/arena.ts";
import { instantiate } from "../kernels/instantiate.ts";
import { matrixWasm } from "../kernels/matrix.wasm.ts";

/** The functions of kernels/matrix.ts: byte addresses and distances in elements. */
interface Kernels {
  productScratch(columns: number): number;
  product(
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: number,
    aDown: number,
    aAcross: number,
    b: number,
    bDown: number,
    bAcross: number,
    c: number,
    pitch: number,
    upper: boolean,
    scratch: number,
  ): void;
  dot(x: number, y: number, n: number): number;
  timesVector(a: number, pitch: number, m: number, n: number, x: number, y: number): void;
}

/** A float64 matrix in row-major order, or the part of one that starts at row `from`. */
export interface Matrix {
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/** A matrix as a product reads it: where its first element lies (bytes), and its neighbours (elements). */
export interface View {
  readonly rows: number;
  readonly columns: number;
  readonly at: number;
  readonly down: number;
  readonly across: number;
}

/** Memory that the kernels work in. What is taken from it is free again when the `withWorkspace` that gave it ends. */
export interface Workspace {
  /** Zero-filled. */
  matrix(rows: number, columns: number): Matrix;
  vector(length: number): Float64Array;
  /** C += alpha · A · B, with C the rows of `c` from `row` and columns from `column` on. */
  addProduct(alpha: number, a: View, b: View, c: Matrix, options?: ProductOptions): void;
  /** y[0..m) ← A[m, n] · x for the row-major matrix at `a` with rows of `pitch` elements. */
  timesVector(a: Float64Array, pitch: number, m: number, n: number, x: Float64Array, y: Float64Array): void;
  dot(x: Float64Array, y: Float64Array, n: number): number;
  temporarily<T>(work: () => T): T;
}

export interface ProductOptions {
  row?: number;
  column?: number;
  /** Only what lies on and above the diagonal is needed. */
  upper?: boolean;
}

/** Rows `from`..`to` and columns `left`..`right` of a matrix. */
export function view(
  { data, rows, columns }: Matrix,
  { from = 0, to = rows, left = 0, right = columns } = {},
): View {
  return {
    rows: to - from,
    columns: right - left,
    at: data.byteOffset + 8 * (from * columns + left),
    down: columns,
    across: 1,
  };
}

/** The transpose. */
export function turned({ rows, columns, at, down, across }: View): View {
  return { rows: columns, columns: rows, at, down: across, across: down };
}

let kept: { arena: Arena; bytes: number } | undefined;

/** Runs `work` with room for `elements` float64 numbers. The memory is kept for the next call. */
export function withWorkspace<T>(elements: number, work: (workspace: Workspace) => T): T {
  const bytes = 8 * elements + (1 << 20);
  if (!kept || kept.bytes < bytes) kept = { arena: createArena(bytes), bytes };
  const { arena } = kept;
  return arena.temporarily(() => work(workspaceIn(arena)));
}

function workspaceIn(arena: Arena): Workspace {
  const kernels = instantiate<Kernels>(matrixWasm, arena.memory);
  return {
    matrix: (rows, columns) => ({ data: arena.float64(rows * columns), rows, columns }),
    vector: (length) => arena.float64(length),
    temporarily: (work) => arena.temporarily(work),
    dot: (x, y, n) => kernels.dot(x.byteOffset, y.byteOffset, n),
    timesVector: (a, pitch, m, n, x, y) =>
      kernels.timesVector(a.byteOffset, pitch, m, n, x.byteOffset, y.byteOffset),
    addProduct: (alpha, a, b, c, { row = 0, column = 0, upper = false } = {}) =>
      arena.temporarily(() => {
        const scratch = arena.uint8(kernels.productScratch(b.columns)).byteOffset;
        kernels.product(
          a.rows,
          b.columns,
          a.columns,
          alpha,
          a.at,
          a.down,
          a.across,
          b.at,
          b.down,
          b.across,
          c.data.byteOffset + 8 * (row * c.columns + column),
          c.columns,
          upper,
          scratch,
        );
      }),
  };
}
