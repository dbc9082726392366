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

/** Points in a cell at most in the mean: fewer cells to look into, more points in each. */
const CROWD = 3;

/** The `k` points, [n, dim], nearest to each of `queries`, [queries, dim], exact, by growing rings of cells. */
export function nearestNeighbors(
  points: ArrayLike<number>,
  queries: ArrayLike<number>,
  dim: Dim,
  k: number,
): NearestNeighbors {
  const n = points.length / dim;
  if (k > n) throw new Problem(`${k} nearest of ${n} points cannot be found; ask for at most ${n}`);
  const list = createCellList(points, dim, crowdedSide(points, dim));
  const { starts, members } = list;
  // In the order of the cells, so that what is read together lies together.
  const at = new Float64Array(3 * n);
  for (let m = 0; m < n; m++) for (let a = 0; a < dim; a++) at[3 * m + a] = points[members[m] * dim + a];
  const count = queries.length / dim;
  const indices = new Uint32Array(count * k);
  const squaredDistances = new Float64Array(count * k);
  const best = new Float64Array(k);
  const who = new Uint32Array(k);
  const [nx, ny, nz = 1] = list.shape;
  const centre = [0, 0, 0];
  for (let q = 0; q < count; q++) {
    for (let axis = 0; axis < dim; axis++) centre[axis] = cellAlong(list, axis, queries[q * dim + axis]);
    const [cx, cy, cz] = centre;
    const x = queries[q * dim];
    const y = queries[q * dim + 1];
    const z = dim === 3 ? queries[q * dim + 2] : 0;
    best.fill(Number.POSITIVE_INFINITY);
    let held = 0;
    let worst = Number.POSITIVE_INFINITY;
    for (let ring = 0; ; ring++) {
      const [a1, b1] = [Math.min(nx - 1, cx + ring), Math.min(ny - 1, cy + ring)];
      for (let a = Math.max(0, cx - ring); a <= a1; a++)
        for (let b = Math.max(0, cy - ring); b <= b1; b++) {
          // Inside the ring only its two ends along the last axis are new.
          const side = a - cx === ring || cx - a === ring || b - cy === ring || cy - b === ring;
          if (dim === 2 && !side && ring > 0) continue;
          const stride = side || ring === 0 || dim === 2 ? 1 : 2 * ring;
          const last = dim === 3 ? cz + ring : 0;
          for (let c = dim === 3 ? cz - ring : 0; c <= last; c += stride) {
            if (c < 0 || c >= nz) continue;
            const cell = (a * ny + b) * nz + c;
            for (let m = starts[cell], end = starts[cell + 1]; m < end; m++) {
              const dx = at[3 * m] - x;
              const dy = at[3 * m + 1] - y;
              const dz = at[3 * m + 2] - z;
              const d = dx * dx + dy * dy + dz * dz;
              if (d > worst) continue;
              const j = members[m];
              if (d === worst && j > who[k - 1]) continue;
              let place = held < k ? held++ : k - 1;
              for (; place > 0; place--) {
                const before = best[place - 1];
                if (before < d || (before === d && who[place - 1] < j)) break;
                best[place] = before;
                who[place] = who[place - 1];
              }
              best[place] = d;
              who[place] = j;
              if (held === k) worst = best[k - 1];
            }
          }
        }
      const reach = reachOf(list, centre, ring, queries, q * dim);
      if (reach === Number.POSITIVE_INFINITY || (held === k && worst < reach * reach)) break;
    }
    indices.set(who, q * k);
    squaredDistances.set(best, q * k);
  }
  return { indices, squaredDistances };
}

/** Edge of cells that would hold `CROWD` points each if these filled the box around them. */
function crowdedSide(points: ArrayLike<number>, dim: Dim): number {
  let volume = 1;
  for (let k = 0; k < dim; k++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = k; i < points.length; i += dim) {
      low = Math.min(low, points[i]);
      high = Math.max(high, points[i]);
    }
    volume *= high - low;
  }
  return ((CROWD * volume * dim) / points.length) ** (1 / dim) || 0;
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
