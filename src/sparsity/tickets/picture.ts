/** A matrix of living shares, row-major. */
export interface Picture {
  rows: number;
  columns: number;
  shares: readonly number[];
}

/** Means over blocks of a matrix, so that it has at most so many rows and columns. */
export function pool(
  matrix: ArrayLike<number>,
  rows: number,
  columns: number,
  mostRows: number,
  mostColumns: number,
): Picture {
  const [r, c] = [Math.min(rows, mostRows), Math.min(columns, mostColumns)];
  const edge = (i: number, parts: number, size: number) => Math.floor((i * size) / parts);
  const shares = Array.from({ length: r * c }, (_, at) => {
    const [i, j] = [Math.floor(at / c), at % c];
    let [sum, count] = [0, 0];
    for (let y = edge(i, r, rows); y < edge(i + 1, r, rows); y++)
      for (let x = edge(j, c, columns); x < edge(j + 1, c, columns); x++) {
        sum += matrix[y * columns + x];
        count++;
      }
    return sum / count;
  });
  return { rows: r, columns: c, shares };
}
