import { nearestNeighbors } from "../physics/nearest-neighbors.ts";
import type { Dim } from "../physics/particles.ts";
import type { Positions } from "./features.ts";

/**
 * Chamfer distance of two clouds, [points, dim] each, at least one point: the mean squared distance from a point of one to the
 * nearest of the other, both ways added (GIOROM spec 3.9). It asks where the matter is, not which particle is where.
 */
export function chamferDistance(a: Positions, b: Positions, dim: Dim): number {
  const oneWay = (from: Positions, to: Positions) => {
    const { squaredDistances } = nearestNeighbors(to, from, dim, 1);
    return squaredDistances.reduce((sum, d) => sum + d, 0) / squaredDistances.length;
  };
  return oneWay(a, b) + oneWay(b, a);
}
