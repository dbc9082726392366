import type { Neighbors } from "../physics/radius-graph.ts";
import type { Positions } from "./features.ts";
import type { LatentGrid } from "./latent-grid.ts";

// The material point method's own way between particles and a grid (GIOROM spec 3.1).

/** Quadratic B-spline at a distance in cells. */
function spline(distance: number): number {
  const d = Math.abs(distance);
  if (d <= 0.5) return 0.75 - d * d;
  return d < 1.5 ? (1.5 - d) ** 2 / 2 : 0;
}

/** Nodes of a grid that particles reach, up to 3^dim each, with the weights of both ways. */
export interface SplinePairs extends Neighbors {
  /** What a particle gives a node: its weight in units of what particles mostly find around them, so that more of them alike change little. */
  scatter: Float64Array;
  /** Share of a node in what a particle gets; they sum to 1 also where a wall cuts nodes off. */
  gather: Float64Array;
}

/** Particles outside the grid act from its border. */
export function splinePairs(places: Positions, { size, bounds, positions }: LatentGrid): SplinePairs {
  const dim = bounds.length;
  const count = places.length / dim;
  const starts = new Uint32Array(count + 1);
  const senders: number[] = [];
  const weights: number[] = [];
  const mass = new Float64Array(positions.length / dim);
  for (let i = 0; i < count; i++) {
    const cells = bounds.map(([low, high], k) =>
      Math.max(0, Math.min(size - 1, ((places[i * dim + k] - low) / (high - low)) * (size - 1))),
    );
    visit(cells, size, (node, weight) => {
      senders.push(node);
      weights.push(weight);
      mass[node] += weight;
    });
    starts[i + 1] = senders.length;
  }
  const gather = Float64Array.from(weights);
  for (let i = 0; i < count; i++) {
    const own = gather.subarray(starts[i], starts[i + 1]);
    const sum = own.reduce((a, b) => a + b, 0);
    own.forEach((w, p) => {
      own[p] = w / sum;
    });
  }
  const around = weights.reduce((sum, w, p) => sum + w * mass[senders[p]], 0) / count;
  return {
    starts,
    senders: Uint32Array.from(senders),
    scatter: Float64Array.from(weights, (w) => w / around),
    gather,
  };
}

/** Nodes, ascending, and weights around a place in cells. */
function visit(cells: readonly number[], size: number, found: (node: number, weight: number) => void): void {
  const from = cells.map((c) => Math.max(0, Math.floor(c - 0.5)));
  const along = (axis: number, node: number, weight: number): void => {
    if (axis === cells.length) {
      found(node, weight);
      return;
    }
    const last = Math.min(size - 1, Math.floor(cells[axis] - 0.5) + 2);
    for (let n = from[axis]; n <= last; n++)
      along(axis + 1, node * size + n, weight * spline(cells[axis] - n));
  };
  along(0, 0, 1);
}
