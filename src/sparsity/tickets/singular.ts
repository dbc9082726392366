/** Row-major product A·Aᵀ (or Aᵀ·A where that is smaller) of a matrix [rows, columns]. */
function gram(
  data: ArrayLike<number>,
  rows: number,
  columns: number,
): { matrix: Float64Array; size: number } {
  const turned = columns < rows;
  const [size, inner] = turned ? [columns, rows] : [rows, columns];
  const at = (i: number, k: number) => (turned ? data[k * columns + i] : data[i * columns + k]);
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += at(i, k) * at(j, k);
      matrix[i * size + j] = matrix[j * size + i] = sum;
    }
  return { matrix, size };
}

export interface Eigen {
  /** From the largest down. */
  values: number[];
  /** The vector of values[i]. */
  vectors: Float64Array[];
}

/** Eigenvalues and vectors of a symmetric matrix [n, n], by cyclic Jacobi rotations; for n up to a few hundred. */
export function symmetricEigen(matrix: ArrayLike<number>, n: number): Eigen {
  const a = Float64Array.from(matrix);
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let [off, all] = [0, 0];
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        all += a[i * n + j] ** 2;
        if (i !== j) off += a[i * n + j] ** 2;
      }
    if (off <= 1e-30 * all) break;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q];
        if (apq === 0) continue;
        const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k * n + p], a[k * n + q]];
          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p * n + k], a[q * n + k]];
          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
          const [vx, vy] = [v[k * n + p], v[k * n + q]];
          v[k * n + p] = c * vx - s * vy;
          v[k * n + q] = s * vx + c * vy;
        }
      }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j] - a[i * n + i]);
  return {
    values: order.map((i) => a[i * n + i]),
    vectors: order.map((i) => Float64Array.from({ length: n }, (_, k) => v[k * n + i])),
  };
}

/** Singular values of a matrix [rows, columns], from the largest down; those below 1e-8 of the largest are rounding. */
export function singularValues(data: ArrayLike<number>, rows: number, columns: number): number[] {
  const { matrix, size } = gram(data, rows, columns);
  return symmetricEigen(matrix, size).values.map((v) => Math.sqrt(Math.max(0, v)));
}

/** exp of the entropy of the singular values as shares of their sum (Roy and Vetterli 2007): 1 for rank one, n for an orthogonal matrix. */
export function effectiveRank(data: ArrayLike<number>, rows: number, columns: number): number {
  const values = singularValues(data, rows, columns);
  const total = values.reduce((a, b) => a + b, 0);
  return Math.exp(-values.reduce((a, v) => (v > 0 ? a + (v / total) * Math.log(v / total) : a), 0));
}
