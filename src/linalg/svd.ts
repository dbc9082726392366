import { Problem } from "../problem.ts";
import type { Random } from "../random.ts";
import { random } from "../random.ts";
import { eigenTridiagonal } from "./divide-conquer.ts";
import { applyReflectors, tridiagonalize } from "./tridiagonal.ts";
import type { Matrix, Workspace } from "./workspace.ts";
import { turned, view, withWorkspace } from "./workspace.ts";

/** The thin singular value decomposition W = Σᵢ valuesᵢ · leftᵢ rightᵢᵀ, i < k = min(rows, columns). */
export interface Svd {
  /** [k, rows]: row i is the left singular vector of valuesᵢ. Its largest entry in magnitude is positive. */
  readonly left: Float64Array;
  /** Falling, not negative. */
  readonly values: Float64Array;
  /** [k, columns]: row i is the right singular vector of valuesᵢ. */
  readonly right: Float64Array;
}

/**
 * Directions whose singular value is below this share of the largest one are set apart and decomposed anew: squaring
 * the matrix costs them half their digits otherwise.
 */
const RANGE = 0.1;

/**
 * The thin singular value decomposition of a row-major matrix [rows, columns], in float64. Residual and orthogonality are
 * within a few hundred units of rounding for every matrix, also of low rank: vectors of the value 0 are completed to an
 * orthonormal set. The same input gives the same bits on every machine.
 *
 * Eigenvectors of the smaller Gram matrix, by tridiagonal divide and conquer, then once more for what is left below a tenth
 * of the largest singular value, and so on: each round works at full relative accuracy.
 */
export function svd(matrix: ArrayLike<number>, rows: number, columns: number): Svd {
  const [short, long] = [Math.min(rows, columns), Math.max(rows, columns)];
  const unit = unitOf(matrix, rows, columns);
  return withWorkspace(room(short, long), (workspace) => {
    const along = workspace.matrix(short, long);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        along.data[rows <= columns ? i * columns + j : j * rows + i] = matrix[i * columns + j] / unit;
    const across = workspace.matrix(short, short);
    const values = decompose(workspace, along, across).map((v) => v * unit);
    return sorted(values, rows <= columns ? across : along, rows <= columns ? along : across);
  });
}

/** A power of two near the largest entry: squares of what is measured in it neither overflow nor vanish. */
function unitOf(matrix: ArrayLike<number>, rows: number, columns: number): number {
  let largest = 0;
  for (let i = 0; i < rows * columns; i++) {
    const v = Math.abs(matrix[i]);
    if (!(v < Number.POSITIVE_INFINITY))
      throw new Problem(
        `the matrix has the entry ${matrix[i]} in row ${Math.floor(i / columns)}, column ${i % columns}; only finite ones can be decomposed`,
      );
    if (v > largest) largest = v;
  }
  return largest > 0 ? 2 ** Math.max(-1000, Math.floor(Math.log2(largest))) : 1;
}

/** Float64 numbers that a decomposition needs at a time. */
function room(short: number, long: number): number {
  return 2 * short * long + 6 * short * short + 600 * (long + 256);
}

/**
 * Turns the rows of `along` into orthonormal ones and those of `across` into the orthonormal combinations of old rows
 * that they are multiples of; returns the factors.
 */
function decompose(workspace: Workspace, along: Matrix, across: Matrix): Float64Array {
  const { rows, columns } = along;
  const values = new Float64Array(rows);
  const rng = random(0);
  for (let i = 0; i < rows; i++) across.data[i * rows + i] = 1;
  let start = 0;
  let negligible = 0;
  let isZero = false;
  while (start < rows) {
    const lengths = align(workspace, along, across, start);
    if (start === 0) negligible = 4 * Number.EPSILON * columns * lengths[0];
    if (!isZero && lengths[0] <= negligible) {
      isZero = true;
      refill(workspace, along, start, rng);
      continue;
    }
    let end = start;
    for (; end < rows && lengths[end - start] >= RANGE * lengths[0]; end++) {
      if (!isZero) values[end] = lengths[end - start];
      const scale = 1 / lengths[end - start];
      for (let j = end * columns; j < (end + 1) * columns; j++) along.data[j] *= scale;
    }
    start = end;
    if (start < rows) project(workspace, along, start);
  }
  return values;
}

/** Rotates the rows from `start` on so that they are orthogonal, longest first; returns their lengths. */
function align(workspace: Workspace, along: Matrix, across: Matrix, start: number): Float64Array {
  const size = along.rows - start;
  const lengths = new Float64Array(size);
  workspace.temporarily(() => {
    const rotation = gramEigenvectors(workspace, along, start);
    for (const matrix of [along, across])
      workspace.temporarily(() => {
        const rotated = workspace.matrix(size, matrix.columns);
        workspace.addProduct(1, view(rotation), view(matrix, { from: start }), rotated);
        matrix.data.set(rotated.data, start * matrix.columns);
      });
  });
  for (let i = 0; i < size; i++) {
    const row = along.data.subarray((start + i) * along.columns, (start + i + 1) * along.columns);
    lengths[i] = Math.sqrt(workspace.dot(row, row, along.columns));
  }
  return lengths;
}

/** Eigenvectors of R Rᵀ for the rows R of `matrix` from `start` on, as rows, of the largest eigenvalue first. */
function gramEigenvectors(workspace: Workspace, matrix: Matrix, start: number): Matrix {
  const size = matrix.rows - start;
  const vectors = workspace.matrix(size, size);
  workspace.temporarily(() => {
    const gram = workspace.matrix(size, size);
    const rows = view(matrix, { from: start });
    workspace.addProduct(1, rows, turned(rows), gram, { upper: true });
    for (let i = 0; i < size; i++)
      for (let j = 0; j < i; j++) gram.data[i * size + j] = gram.data[j * size + i];
    const tridiagonal = tridiagonalize(workspace, gram);
    eigenTridiagonal(workspace, tridiagonal.diagonal, tridiagonal.beside, vectors);
    applyReflectors(workspace, tridiagonal, vectors);
  });
  for (let low = 0, high = size - 1; low < high; low++, high--) {
    const row = vectors.data.slice(low * size, (low + 1) * size);
    vectors.data.copyWithin(low * size, high * size, (high + 1) * size);
    vectors.data.set(row, high * size);
  }
  return vectors;
}

/** Makes the rows from `start` on orthogonal to those before, which are orthonormal; twice, for the rounding of the first. */
function project(workspace: Workspace, matrix: Matrix, start: number): void {
  const rest = view(matrix, { from: start });
  const basis = view(matrix, { to: start });
  for (let pass = 0; pass < 2; pass++)
    workspace.temporarily(() => {
      const parts = workspace.matrix(rest.rows, start);
      workspace.addProduct(1, rest, turned(basis), parts);
      workspace.addProduct(-1, view(parts), basis, matrix, { row: start });
    });
}

/** Random rows in place of rows that are zero but for rounding. */
function refill(workspace: Workspace, matrix: Matrix, start: number, rng: Random): void {
  for (let i = start * matrix.columns; i < matrix.data.length; i++) matrix.data[i] = rng.normal();
  if (start > 0) project(workspace, matrix, start);
}

/** Copies with falling values and with signs by which the largest entry of every left vector is positive. */
function sorted(values: Float64Array, left: Matrix, right: Matrix): Svd {
  const k = values.length;
  const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
  const result = {
    left: new Float64Array(k * left.columns),
    values: Float64Array.from(order, (i) => values[i]),
    right: new Float64Array(k * right.columns),
  };
  order.forEach((from, to) => {
    const row = left.data.subarray(from * left.columns, (from + 1) * left.columns);
    let [least, largest] = [0, 0];
    for (const v of row) {
      if (v > largest) largest = v;
      if (v < least) least = v;
    }
    const sign = -least > largest ? -1 : 1;
    for (let j = 0; j < left.columns; j++) result.left[to * left.columns + j] = sign * row[j];
    for (let j = 0; j < right.columns; j++)
      result.right[to * right.columns + j] = sign * right.data[from * right.columns + j];
  });
  return result;
}
