import { Problem } from "../problem.ts";

/** A sparse matrix as a list of its entries; an entry may be listed several times and counts as often. */
export interface SparseMatrix {
  rows: number;
  columns: number;
  /** Row, column and value of each entry. */
  at: Int32Array;
  from: Int32Array;
  values: Float32Array;
}

export function transposed({ rows, columns, at, from, values }: SparseMatrix): SparseMatrix {
  return { rows: columns, columns: rows, at: from, from: at, values };
}

/**
 * D⁻¹(A + I), what HGCN and HyboNet average neighbours with; edges [u, v, u, v, …] are undirected. Throws a `Problem` for an
 * edge to a node that there is not, or of one end.
 */
export function normalizedAdjacency(nodes: number, edges: ArrayLike<number>): SparseMatrix {
  if (edges.length % 2 !== 0)
    throw new Problem(`${edges.length} ends make no whole number of edges; give two for each`);
  const degree = new Uint32Array(nodes).fill(1);
  for (let i = 0; i < edges.length; i++) {
    if (!(Number.isInteger(edges[i]) && edges[i] >= 0 && edges[i] < nodes))
      throw new Problem(`an edge ends at node ${edges[i]}; there are ${nodes} nodes, from 0`);
    degree[edges[i]]++;
  }
  const size = nodes + edges.length;
  const matrix = {
    rows: nodes,
    columns: nodes,
    at: new Int32Array(size),
    from: new Int32Array(size),
    values: new Float32Array(size),
  };
  const put = (entry: number, row: number, column: number) => {
    matrix.at[entry] = row;
    matrix.from[entry] = column;
    matrix.values[entry] = 1 / degree[row];
  };
  for (let v = 0; v < nodes; v++) put(v, v, v);
  for (let i = 0; i < edges.length; i += 2) {
    put(nodes + i, edges[i], edges[i + 1]);
    put(nodes + i + 1, edges[i + 1], edges[i]);
  }
  return matrix;
}

/** The matrix that picks rows: y[i] = x[indices[i]]. */
export function selection(indices: ArrayLike<number>, columns: number): SparseMatrix {
  return {
    rows: indices.length,
    columns,
    at: Int32Array.from(indices, (_, i) => i),
    from: Int32Array.from(indices),
    values: new Float32Array(indices.length).fill(1),
  };
}
