import type { View } from "./workspace.ts";
import { turned, view, withWorkspace } from "./workspace.ts";

/** A row-major matrix, or the transpose of one. */
export interface Factor {
  readonly data: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
  /** Take the transpose of [rows, columns]. */
  readonly turned?: boolean;
}

/** A·B in float64, row-major. */
export function multiply(a: Factor, b: Factor): Float64Array {
  const [rows, columns] = [a.turned ? a.columns : a.rows, b.turned ? b.rows : b.columns];
  const elements = a.rows * a.columns + b.rows * b.columns + rows * columns + 600 * (columns + 256);
  return withWorkspace(elements, (workspace) => {
    const read = (f: Factor): View => {
      const matrix = workspace.matrix(f.rows, f.columns);
      matrix.data.set(f.data);
      return f.turned ? turned(view(matrix)) : view(matrix);
    };
    const result = workspace.matrix(rows, columns);
    workspace.addProduct(1, read(a), read(b), result);
    return result.data.slice();
  });
}
