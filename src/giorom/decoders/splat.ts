import { random } from "../../random.ts";
import type { Rows } from "./rows.ts";
import type { Geometry } from "./weightings.ts";

export interface SplatOptions {
  /** Nodes along an axis of the grid over the unit box. Default 64. */
  size?: number;
  /** Places around each query that are gathered and averaged. Default 1: the query's own. */
  draws?: number;
  /** Standard deviation of those places in nodes. Default 0.8 where there are several draws. */
  spread?: number;
  seed?: number;
}

/** Density below which nothing is there. */
const LEAST_DENSITY = 1e-5;

/**
 * What D3 (GIOROM spec 3.10, the TMLR version) does with a field before its network: content is spread over the nodes of a grid by
 * d-linear weights at the sources' reference positions, gathered at the queries, and divided by the density gathered there; 0 where
 * that is nothing. All of it is linear and depends on the reference alone, so it is one sparse matrix.
 */
export function splatRows(
  { dim, sources, queries }: Geometry,
  { size = 64, draws = 1, spread = draws > 1 ? 0.8 : 0, seed = 0 }: SplatOptions = {},
): Rows {
  const corners = 2 ** dim;
  /** Calls back with node and weight for each corner of the cell around a place in nodes. */
  const each = (place: readonly number[], visit: (node: number, weight: number) => void) => {
    const low = place.map((x) => Math.max(0, Math.min(size - 2, Math.floor(x))));
    for (let corner = 0; corner < corners; corner++) {
      let [node, weight] = [0, 1];
      for (let k = 0; k < dim; k++) {
        const up = (corner >> k) & 1;
        const f = Math.max(0, Math.min(1, place[k] - low[k]));
        weight *= up ? f : 1 - f;
        node = node * size + low[k] + up;
      }
      if (weight > 0) visit(node, weight);
    }
  };
  const at = (points: ArrayLike<number>, i: number) =>
    Array.from({ length: dim }, (_, k) => points[i * dim + k] * (size - 1));
  const onNode = new Map<number, { source: number; weight: number }[]>();
  for (let s = 0; s < sources.length / dim; s++)
    each(at(sources, s), (node, weight) => {
      const list = onNode.get(node);
      if (list) list.push({ source: s, weight });
      else onNode.set(node, [{ source: s, weight }]);
    });
  const { normal } = random(seed);
  const starts = [0];
  const columns: number[] = [];
  const weights: number[] = [];
  for (let q = 0; q < queries.length / dim; q++) {
    const row = new Map<number, number>();
    let density = 0;
    for (let draw = 0; draw < draws; draw++) {
      const place = at(queries, q).map((x) =>
        Math.max(0, Math.min(size - 1, x + spread * (spread > 0 ? normal() : 0))),
      );
      each(place, (node, share) => {
        for (const { source, weight } of onNode.get(node) ?? []) {
          const w = (share * weight) / draws;
          row.set(source, (row.get(source) ?? 0) + w);
          density += w;
        }
      });
    }
    if (density > LEAST_DENSITY)
      for (const [source, w] of row) {
        columns.push(source);
        weights.push(w / density);
      }
    starts.push(columns.length);
  }
  return {
    sources: sources.length / dim,
    starts: Uint32Array.from(starts),
    columns: Uint32Array.from(columns),
    weights: Float32Array.from(weights),
  };
}
