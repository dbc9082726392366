import { cellAlong, createCellList } from "./cell-list.ts";
import type { Dim } from "./particles.ts";

/** Directed edges: receiver i hears senders `senders[starts[i]]` up to, not including, `senders[starts[i + 1]]`, ascending. */
export interface Neighbors {
  readonly starts: Uint32Array;
  readonly senders: Uint32Array;
}

/**
 * All points j with |y_j − x_i| ≤ `radius` for every query x_i, [queries, dim]; by default the points themselves are the
 * queries and each is its own neighbour (GIOROM spec 3.4). O(points + edges) by a cell list.
 */
export function radiusNeighbors(
  points: ArrayLike<number>,
  dim: Dim,
  radius: number,
  queries: ArrayLike<number> = points,
): Neighbors {
  const list = createCellList(points, dim, radius);
  const [, ny, nz = 1] = list.shape;
  // Rounding must not hide the cell of a point that is exactly `radius` away.
  const reach = radius * (1 + 1e-9);
  const count = queries.length / dim;
  const starts = new Uint32Array(count + 1);
  let senders = new Uint32Array(16 * count + 16);
  let found = 0;
  const from = [0, 0, 0];
  const to = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const x = queries[dim * i];
    const y = queries[dim * i + 1];
    const z = dim === 3 ? queries[dim * i + 2] : 0;
    for (let k = 0; k < dim; k++) {
      const at = queries[dim * i + k];
      from[k] = cellAlong(list, k, at - reach);
      to[k] = cellAlong(list, k, at + reach);
    }
    const first = found;
    for (let a = from[0]; a <= to[0]; a++)
      for (let b = from[1]; b <= to[1]; b++)
        for (let c = from[2]; c <= to[2]; c++) {
          const cell = (a * ny + b) * nz + c;
          for (let m = list.starts[cell]; m < list.starts[cell + 1]; m++) {
            const j = list.members[m];
            const dx = points[dim * j] - x;
            const dy = points[dim * j + 1] - y;
            const dz = dim === 3 ? points[dim * j + 2] - z : 0;
            if (dx * dx + dy * dy + dz * dz > radius * radius) continue;
            if (found === senders.length) senders = grown(senders);
            senders[found++] = j;
          }
        }
    senders.subarray(first, found).sort();
    starts[i + 1] = found;
  }
  return { starts, senders: senders.slice(0, found) };
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** How many parts a graph of points falls into, edges taken in both directions. */
export function countComponents({ starts, senders }: Neighbors): number {
  const parent = Uint32Array.from({ length: starts.length - 1 }, (_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  let parts = parent.length;
  for (let i = 0; i < parent.length; i++)
    for (let e = starts[i]; e < starts[i + 1]; e++) {
      const a = root(i);
      const b = root(senders[e]);
      if (a === b) continue;
      parent[a] = b;
      parts--;
    }
  return parts;
}
