/**
 * Solves m x = b for a symmetric positive definite m, [size, size], of which the lower half is read and overwritten by its Cholesky
 * factor, and `columns` right sides b, [size, columns], which are overwritten by the solutions.
 */
export function solveDefinite(m: Float64Array, size: number, b: Float64Array, columns: number): void {
  for (let r = 0; r < size; r++)
    for (let s = 0; s <= r; s++) {
      let sum = m[r * size + s];
      for (let t = 0; t < s; t++) sum -= m[r * size + t] * m[s * size + t];
      m[r * size + s] = r === s ? Math.sqrt(Math.max(sum, 1e-30)) : sum / m[s * size + s];
    }
  for (let c = 0; c < columns; c++) {
    for (let r = 0; r < size; r++) {
      let sum = b[r * columns + c];
      for (let t = 0; t < r; t++) sum -= m[r * size + t] * b[t * columns + c];
      b[r * columns + c] = sum / m[r * size + r];
    }
    for (let r = size - 1; r >= 0; r--) {
      let sum = b[r * columns + c];
      for (let t = r + 1; t < size; t++) sum -= m[t * size + r] * b[t * columns + c];
      b[r * columns + c] = sum / m[r * size + r];
    }
  }
}
