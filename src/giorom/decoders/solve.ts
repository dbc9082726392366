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

/**
 * The matrix that gives the coefficients z, [modes], of the least squares fit A z ≈ u: (AᵀA + ridge · mean diagonal · I)⁻¹ Aᵀ, for A
 * [rows, modes]; [modes, rows].
 */
export function ridgeInverse(a: ArrayLike<number>, rows: number, modes: number, ridge: number): Float64Array {
  const gram = new Float64Array(modes * modes);
  const right = new Float64Array(modes * rows);
  for (let i = 0; i < rows; i++)
    for (let r = 0; r < modes; r++) {
      right[r * rows + i] = a[i * modes + r];
      for (let s = 0; s <= r; s++) gram[r * modes + s] += a[i * modes + r] * a[i * modes + s];
    }
  let trace = 0;
  for (let r = 0; r < modes; r++) trace += gram[r * modes + r];
  for (let r = 0; r < modes; r++) gram[r * modes + r] += (ridge * trace) / modes || 1e-12;
  solveDefinite(gram, modes, right, rows);
  return right;
}
