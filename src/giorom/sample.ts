import { nearestNeighbors } from "../physics/nearest-neighbors.ts";
import type { Dim } from "../physics/particles.ts";
import { countComponents, radiusNeighbors } from "../physics/radius-graph.ts";
import type { Positions } from "./features.ts";

/** Points whose neighbours are looked at to learn how densely a cloud lies. */
const PROBES = 1000;

/**
 * Edge of the cube that one point of a cloud has to itself: the median distance to the 2·dim-th neighbour, which is the edge in
 * a cubic lattice and a tenth more for random points.
 */
export function spacingOf(points: Positions, dim: Dim): number {
  const count = points.length / dim;
  const k = Math.min(count, 2 * dim + 1);
  const stride = Math.max(1, Math.floor(count / PROBES));
  const probes = Float64Array.from(
    { length: Math.ceil(count / stride) * dim },
    (_, i) => points[Math.floor(i / dim) * stride * dim + (i % dim)],
  );
  const { squaredDistances } = nearestNeighbors(points, probes, dim, k);
  const last = Array.from({ length: probes.length / dim }, (_, i) => squaredDistances[i * k + k - 1]);
  return Math.sqrt(last.sort((a, b) => a - b)[Math.floor(last.length / 2)]);
}

/**
 * Radius of the graph of `sampled` points out of a cloud (GIOROM spec 3.4): 2.2 spacings of the sample in 2D, 2 in 3D, which gives
 * about ten neighbours and keeps farthest-point samples of a body in one piece.
 */
export function connectivityRadius(cloud: Positions, dim: Dim, sampled: number): number {
  const spacing = spacingOf(cloud, dim) * (cloud.length / dim / sampled) ** (1 / dim);
  return (dim === 2 ? 2.2 : 2) * spacing;
}

/** The points at `indices` of a frame, [n, dim]. */
export function pick(frame: Positions, dim: number, indices: ArrayLike<number>): Float64Array {
  const out = new Float64Array(indices.length * dim);
  for (let i = 0; i < indices.length; i++)
    for (let k = 0; k < dim; k++) out[i * dim + k] = frame[indices[i] * dim + k];
  return out;
}

/** How well a radius holds a sample together. */
export interface Coverage {
  /** Share of the points that have a neighbour. */
  connected: number;
  /** Parts that the graph falls into. */
  components: number;
  /** Mean number of neighbours of a point, itself not counted. */
  degree: number;
}

export function coverageOf(points: Positions, dim: Dim, radius: number): Coverage {
  const graph = radiusNeighbors(points, dim, radius);
  const count = points.length / dim;
  let alone = 0;
  for (let i = 0; i < count; i++) if (graph.starts[i + 1] - graph.starts[i] === 1) alone++;
  return {
    connected: 1 - alone / count,
    components: countComponents(graph),
    degree: graph.senders.length / count - 1,
  };
}
