import { singularValues } from "./singular.ts";

/** An undirected graph: the neighbours of each node. */
export type Adjacency = readonly (readonly number[])[];

export function adjacencyOf(nodes: number, edges: Iterable<readonly [number, number]>): Adjacency {
  const lists: number[][] = Array.from({ length: nodes }, () => []);
  for (const [a, b] of edges) {
    lists[a].push(b);
    lists[b].push(a);
  }
  return lists;
}

/** The graph of a layer's mask [rows, columns]: one node a row, then one a column, an edge for each living weight. */
export function bipartite(mask: ArrayLike<number>, rows: number, columns: number): Adjacency {
  const edges: [number, number][] = [];
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) if (mask[r * columns + c]) edges.push([r, rows + c]);
  return adjacencyOf(rows + columns, edges);
}

export function averageDegree(graph: Adjacency): number {
  return graph.reduce((a, list) => a + list.length, 0) / graph.length;
}

/** Mean number of edges between two nodes, over the pairs that are connected; NaN if none is. */
export function averagePathLength(graph: Adjacency): number {
  let [total, pairs] = [0, 0];
  const distance = new Int32Array(graph.length);
  for (let start = 0; start < graph.length; start++) {
    distance.fill(-1);
    distance[start] = 0;
    const queue = [start];
    for (const node of queue)
      for (const next of graph[node])
        if (distance[next] < 0) {
          distance[next] = distance[node] + 1;
          queue.push(next);
        }
    for (const node of queue) total += distance[node];
    pairs += queue.length - 1;
  }
  return total / pairs;
}

/** Share of each node's pairs of neighbours that are neighbours themselves (Watts and Strogatz 1998); 0 with fewer than two. */
export function localClustering(graph: Adjacency): number[] {
  const sets = graph.map((list) => new Set(list));
  return graph.map((list) => {
    let closed = 0;
    list.forEach((a, i) => {
      for (const b of list.slice(i + 1)) closed += Number(sets[a].has(b));
    });
    return list.length < 2 ? 0 : (2 * closed) / (list.length * (list.length - 1));
  });
}

/**
 * Clustering of a bipartite graph, whose triangles there are none of: of each node, the mean over the nodes two steps
 * away of |common neighbours| / |neighbours of either| (Latapy et al. 2008, section 4); then the mean over nodes.
 */
export function bipartiteClustering(graph: Adjacency): number {
  const total = graph.reduce((sum, list, node) => {
    const common = new Map<number, number>();
    for (const middle of list)
      for (const other of graph[middle]) if (other !== node) common.set(other, (common.get(other) ?? 0) + 1);
    let overlap = 0;
    for (const [other, shared] of common) overlap += shared / (list.length + graph[other].length - shared);
    return sum + (common.size ? overlap / common.size : 0);
  }, 0);
  return total / graph.length;
}

export interface Expansion {
  /** Largest minus second singular value of the matrix. */
  spectralGap: number;
  /** √(2d̄ − 1) − λ₂ with the mean degree d̄, as the paper has it (grokking.md); above 0: a good expander. */
  ramanujanGap: number;
  /** √(d̄_rows − 1) + √(d̄_columns − 1) − λ₂, the bound for bipartite graphs. */
  ramanujanGapBipartite: number;
}

/** How well a layer's mask [rows, columns] connects: singular values of the mask are the eigenvalues of its graph. */
export function expansion(mask: ArrayLike<number>, rows: number, columns: number): Expansion {
  const [first, second = 0] = singularValues(mask, rows, columns);
  let edges = 0;
  for (let i = 0; i < rows * columns; i++) edges += mask[i] ? 1 : 0;
  return {
    spectralGap: first - second,
    ramanujanGap: Math.sqrt((4 * edges) / (rows + columns) - 1) - second,
    ramanujanGapBipartite: Math.sqrt(edges / rows - 1) + Math.sqrt(edges / columns - 1) - second,
  };
}
