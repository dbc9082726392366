import type { Positions } from "../features.ts";
import { ridgeInverse } from "./solve.ts";

/** Displacements as sums of a few modes: u = Σ z_k W_k, W [points · dim, modes] row by row. */
export interface Modes {
  sources: ArrayLike<number>;
  queries: ArrayLike<number>;
  count: number;
}

/** Share of the mean squared mode that is added on the diagonal of the normal equations. */
export const RIDGE = 1e-6;

/**
 * Decoding by a linear subspace (GIOROM spec 3.10, D2): the coefficients that fit the sources' displacements best, then the modes at
 * the queries. There is no encoder: the pseudoinverse is computed once.
 */
export function bakeModes(
  { sources, queries, count }: Modes,
  reference: Positions,
  ridge = RIDGE,
): { decode(displacements: Positions): Float32Array } {
  const rows = sources.length / count;
  const inverse = ridgeInverse(sources, rows, count, ridge);
  const modes = Float32Array.from(queries);
  const z = new Float64Array(count);
  const out = new Float32Array(reference.length);
  return {
    decode: (u) => {
      for (let k = 0; k < count; k++) {
        let sum = 0;
        for (let i = 0; i < rows; i++) sum += inverse[k * rows + i] * u[i];
        z[k] = sum;
      }
      for (let i = 0; i < out.length; i++) {
        let sum = reference[i];
        for (let k = 0; k < count; k++) sum += modes[i * count + k] * z[k];
        out[i] = sum;
      }
      return out;
    },
  };
}

/**
 * Proper orthogonal decomposition: the `count` directions that snapshots, each [points · dim], vary most in; [points · dim, count] row by
 * row, orthonormal. By subspace iteration on the snapshots' products (method of snapshots).
 */
export function orthogonalModes(snapshots: readonly Positions[], count: number): Float64Array {
  const m = snapshots.length;
  const size = snapshots[0].length;
  const q = Math.min(count, m);
  const gram = new Float64Array(m * m);
  for (let i = 0; i < m; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += snapshots[i][k] * snapshots[j][k];
      gram[i * m + j] = gram[j * m + i] = sum;
    }
  let v = new Float64Array(m * q);
  for (let i = 0; i < m; i++) for (let k = 0; k < q; k++) v[i * q + k] = Math.sin(1 + i * (k + 1));
  for (let sweep = 0; sweep < 60; sweep++) {
    const next = new Float64Array(m * q);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++)
        for (let k = 0; k < q; k++) next[i * q + k] += gram[i * m + j] * v[j * q + k];
    orthonormalize(next, m, q);
    v = next;
  }
  const modes = new Float64Array(size * q);
  snapshots.forEach((snapshot, i) => {
    for (let p = 0; p < size; p++) for (let k = 0; k < q; k++) modes[p * q + k] += snapshot[p] * v[i * q + k];
  });
  orthonormalize(modes, size, q);
  return modes;
}

/** Gram–Schmidt over the columns of [rows, columns], twice, since once loses digits; a column of nothing becomes 0. */
function orthonormalize(x: Float64Array, rows: number, columns: number): void {
  for (let k = 0; k < columns; k++)
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < k; j++) {
        let dot = 0;
        for (let i = 0; i < rows; i++) dot += x[i * columns + k] * x[i * columns + j];
        for (let i = 0; i < rows; i++) x[i * columns + k] -= dot * x[i * columns + j];
      }
      let norm = 0;
      for (let i = 0; i < rows; i++) norm += x[i * columns + k] ** 2;
      const factor = norm > 1e-30 ? 1 / Math.sqrt(norm) : 0;
      for (let i = 0; i < rows; i++) x[i * columns + k] *= factor;
    }
}
