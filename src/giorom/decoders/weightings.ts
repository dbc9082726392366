import { solveDefinite } from "../../linalg/definite.ts";
import type { NearestNeighbors } from "../../physics/nearest-neighbors.ts";
import { nearestNeighbors } from "../../physics/nearest-neighbors.ts";
import type { Dim } from "../../physics/particles.ts";
import type { Positions } from "../features.ts";
import type { Rows } from "./rows.ts";
import { evenRows } from "./rows.ts";

/** Sources around each query in the reference configuration. */
export const NEIGHBORS = 8;

export interface Geometry {
  dim: Dim;
  /** [sources, dim]. */
  sources: Positions;
  /** [queries, dim]. */
  queries: Positions;
}

/** Neighbours of each query, at most `NEIGHBORS`. */
export function neighborsOf(
  { sources, queries, dim }: Geometry,
  k = NEIGHBORS,
): NearestNeighbors & { k: number } {
  const most = Math.min(k, sources.length / dim);
  return { ...nearestNeighbors(sources, queries, dim, most), k: most };
}

/** The displacement of the nearest source. */
export function nearestRows(geometry: Geometry): Rows {
  const { indices } = neighborsOf(geometry, 1);
  return evenRows(indices, new Float32Array(indices.length).fill(1), 1, count(geometry));
}

/** Shepard's weights 1/distance² (GIOROM spec 4.2); a source itself takes its own displacement. */
export function inverseDistanceRows(geometry: Geometry): Rows {
  const { indices, squaredDistances, k } = neighborsOf(geometry);
  const weights = Float32Array.from(squaredDistances, (d) => 1 / Math.max(d, 1e-18));
  normalizeRows(weights, k);
  return evenRows(indices, weights, k, count(geometry));
}

/** Moving least squares with Gaussian weights, h² the mean squared distance of neighbours (GIOROM spec 4.2). */
export function movingLeastSquaresRows(geometry: Geometry): Rows {
  const { indices, squaredDistances, k } = neighborsOf(geometry);
  const mean = squaredDistances.reduce((a, b) => a + b, 0) / squaredDistances.length || 1;
  const weights = Float32Array.from(squaredDistances, (d) => Math.exp(-d / mean));
  return evenRows(indices, affineWeights(geometry, indices, weights, k, Math.sqrt(mean)), k, count(geometry));
}

const count = ({ sources, dim }: Geometry) => sources.length / dim;

function normalizeRows(weights: Float32Array, k: number): void {
  for (let at = 0; at < weights.length; at += k) {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += weights[at + j];
    for (let j = 0; j < k; j++) weights[at + j] /= sum;
  }
}

/** Added to the moments, in units of `scale`, so that sources on one line or plane do not make them singular. */
const RIDGE = 1e-10;

/**
 * The value at the query of the affine function that fits the sources best under `weights`, as weights of the sources: e₁ᵀ
 * (PᵀWP + ridge I)⁻¹ PᵀW with P = [1, (X_j − X_q)/scale] (GIOROM spec 3.10). Every affine motion is reproduced exactly.
 */
export function affineWeights(
  { dim, sources, queries }: Geometry,
  indices: Uint32Array,
  weights: Float32Array,
  k: number,
  scale: number,
): Float32Array {
  const size = dim + 1;
  const out = new Float32Array(weights.length);
  const p = new Float64Array(k * size);
  const m = new Float64Array(size * size);
  const c = new Float64Array(size);
  for (let at = 0; at < weights.length; at += k) {
    const q = (at / k) * dim;
    m.fill(0);
    for (let j = 0; j < k; j++) {
      p[j * size] = 1;
      for (let a = 0; a < dim; a++)
        p[j * size + 1 + a] = (sources[indices[at + j] * dim + a] - queries[q + a]) / scale;
      for (let r = 0; r < size; r++)
        for (let s = 0; s <= r; s++) m[r * size + s] += weights[at + j] * p[j * size + r] * p[j * size + s];
    }
    for (let r = 0; r < size; r++) m[r * size + r] += RIDGE;
    c.fill(0);
    c[0] = 1;
    solveDefinite(m, size, c, 1);
    for (let j = 0; j < k; j++) {
      let sum = 0;
      for (let r = 0; r < size; r++) sum += c[r] * p[j * size + r];
      out[at + j] = weights[at + j] * sum;
    }
  }
  return out;
}
