import { Problem } from "../problem.ts";
import type { Dim } from "./particles.ts";

/** Points sorted into the cells of a grid over their bounding box. */
export interface CellList {
  readonly dim: Dim;
  readonly points: ArrayLike<number>;
  /** Lower corner of the box. */
  readonly low: readonly number[];
  /** Length of a cell's edge. */
  readonly side: number;
  /** Cells along each axis. */
  readonly shape: readonly number[];
  /** Cell c holds `members[starts[c]]` up to, not including, `members[starts[c + 1]]`, in ascending order. */
  readonly starts: Uint32Array;
  readonly members: Uint32Array;
}

/**
 * Sorts `points`, [n, dim], into cells with edges of at least `side`: longer where that would give more cells than points,
 * so that memory stays O(n) however far the points lie apart. With `side` 0 there are about as many cells as points.
 */
export function createCellList(points: ArrayLike<number>, dim: Dim, side: number): CellList {
  const n = points.length / dim;
  const low = new Array<number>(dim).fill(Number.POSITIVE_INFINITY);
  const high = new Array<number>(dim).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < points.length; i++) {
    const value = points[i];
    if (!Number.isFinite(value))
      throw new Problem(`point ${Math.floor(i / dim)} is at ${value} on axis ${"xyz"[i % dim]}`);
    low[i % dim] = Math.min(low[i % dim], value);
    high[i % dim] = Math.max(high[i % dim], value);
  }
  const widest = Math.max(...high.map((h, k) => h - low[k]), 0);
  const edge = Math.max(side, widest / Math.ceil(n ** (1 / dim))) || 1;
  const shape = high.map((h, k) => (n > 0 ? Math.floor((h - low[k]) / edge) + 1 : 1));
  const list = { dim, points, low: n > 0 ? low : low.fill(0), side: edge, shape };

  const starts = new Uint32Array(shape.reduce((a, b) => a * b, 1) + 1);
  const cells = new Uint32Array(n);
  for (let i = 0; i < n; i++) starts[(cells[i] = cellOf(list, points, i * dim)) + 1]++;
  for (let c = 1; c < starts.length; c++) starts[c] += starts[c - 1];
  const members = new Uint32Array(n);
  const filled = starts.slice();
  for (let i = 0; i < n; i++) members[filled[cells[i]]++] = i;
  return { ...list, starts, members };
}

/** The cell's number along one axis for a coordinate; what lies outside belongs to the nearest cell. */
export function cellAlong({ low, side, shape }: Omit<CellList, "starts" | "members">, k: number, at: number) {
  const c = Math.floor((at - low[k]) / side);
  return c < 0 ? 0 : c >= shape[k] ? shape[k] - 1 : c;
}

function cellOf(list: Omit<CellList, "starts" | "members">, points: ArrayLike<number>, at: number): number {
  let cell = 0;
  for (let k = 0; k < list.dim; k++) cell = cell * list.shape[k] + cellAlong(list, k, points[at + k]);
  return cell;
}
