import { turned, view, withWorkspace } from "./workspace.ts";

/** Triplets of a factored matrix: row i of `left` [k, rows] and of `right` [k, columns] belong to valuesᵢ. */
export interface Triplets {
  readonly left: ArrayLike<number>;
  readonly values: ArrayLike<number>;
  readonly right: ArrayLike<number>;
}

/** Σ valuesᵢ leftᵢ rightᵢᵀ over all triplets of all `parts`, row-major [rows, columns], in float64. */
export function compose(parts: readonly Triplets[], rows: number, columns: number): Float64Array {
  const count = parts.reduce((sum, p) => sum + p.values.length, 0);
  return withWorkspace(rows * columns + count * (rows + columns) + 600 * (columns + 256), (workspace) => {
    const sum = workspace.matrix(rows, columns);
    for (const { left, values, right } of parts) {
      const k = values.length;
      const scaled = workspace.matrix(k, rows);
      for (let i = 0; i < k; i++)
        for (let j = 0; j < rows; j++) scaled.data[i * rows + j] = values[i] * left[i * rows + j];
      const across = workspace.matrix(k, columns);
      across.data.set(right);
      workspace.addProduct(1, turned(view(scaled)), view(across), sum);
    }
    return sum.data.slice();
  });
}
