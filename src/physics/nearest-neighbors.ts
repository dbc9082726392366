import { Problem } from "../problem.ts";
import type { CellList } from "./cell-list.ts";
import { cellAlong, createCellList } from "./cell-list.ts";
import type { Dim } from "./particles.ts";

export interface NearestNeighbors {
  /** [queries, k]: the nearest first; of equal distances the lower index. */
  readonly indices: Uint32Array;
  /** [queries, k]. */
  readonly squaredDistances: Float64Array;
}

/** The `k` points, [n, dim], nearest to each of `queries`, [queries, dim], exact, by growing rings of cells. */
export function nearestNeighbors(
  points: ArrayLike<number>,
  queries: ArrayLike<number>,
  dim: Dim,
  k: number,
): NearestNeighbors {
  const n = points.length / dim;
  if (k > n) throw new Problem(`${k} nearest of ${n} points cannot be found; ask for at most ${n}`);
  const list = createCellList(points, dim, 0);
  const count = queries.length / dim;
  const indices = new Uint32Array(count * k);
  const squaredDistances = new Float64Array(count * k).fill(Number.POSITIVE_INFINITY);
  const depth = dim === 3 ? list.shape[2] : 1;
  const centre = [0, 0, 0];
  for (let q = 0; q < count; q++) {
    const at = q * k;
    let held = 0;
    for (let axis = 0; axis < dim; axis++) centre[axis] = cellAlong(list, axis, queries[q * dim + axis]);

    const offer = (j: number) => {
      let d = 0;
      for (let axis = 0; axis < dim; axis++) d += (points[j * dim + axis] - queries[q * dim + axis]) ** 2;
      const last = squaredDistances[at + k - 1];
      if (held === k && (d > last || (d === last && j > indices[at + k - 1]))) return;
      let place = at + (held < k ? held++ : k - 1);
      for (; place > at; place--) {
        const before = squaredDistances[place - 1];
        if (before < d || (before === d && indices[place - 1] < j)) break;
        squaredDistances[place] = before;
        indices[place] = indices[place - 1];
      }
      squaredDistances[place] = d;
      indices[place] = j;
    };

    for (let ring = 0; ; ring++) {
      for (let a = Math.max(0, centre[0] - ring); a <= Math.min(list.shape[0] - 1, centre[0] + ring); a++)
        for (let b = Math.max(0, centre[1] - ring); b <= Math.min(list.shape[1] - 1, centre[1] + ring); b++) {
          // Inside the ring only its two ends along the last axis are new.
          const side = Math.abs(a - centre[0]) === ring || Math.abs(b - centre[1]) === ring;
          const stride = side || ring === 0 || dim === 2 ? 1 : 2 * ring;
          if (dim === 2 && !side && ring > 0) continue;
          for (
            let c = dim === 3 ? centre[2] - ring : 0;
            c <= (dim === 3 ? centre[2] + ring : 0);
            c += stride
          ) {
            if (c < 0 || c >= depth) continue;
            const cell = (a * list.shape[1] + b) * depth + c;
            for (let m = list.starts[cell]; m < list.starts[cell + 1]; m++) offer(list.members[m]);
          }
        }
      const reach = reachOf(list, centre, ring, queries, q * dim);
      if (reach === Number.POSITIVE_INFINITY) break;
      if (held === k && squaredDistances[at + k - 1] < reach * reach) break;
    }
  }
  return { indices, squaredDistances };
}

/** How far from a query everything has been seen; infinite where nothing is left. */
function reachOf(
  { dim, low, side, shape }: CellList,
  centre: readonly number[],
  ring: number,
  queries: ArrayLike<number>,
  at: number,
): number {
  let reach = Number.POSITIVE_INFINITY;
  for (let k = 0; k < dim; k++) {
    const value = queries[at + k];
    if (centre[k] - ring > 0) reach = Math.min(reach, value - (low[k] + (centre[k] - ring) * side));
    if (centre[k] + ring < shape[k] - 1)
      reach = Math.min(reach, low[k] + (centre[k] + ring + 1) * side - value);
  }
  return reach === Number.POSITIVE_INFINITY ? reach : Math.max(0, reach);
}
