import { Problem } from "../problem.ts";
import { random } from "../random.ts";
import type { Dim } from "./particles.ts";

/**
 * Farthest-point sampling: from `start` on, always the point of `points`, [N, dim], that is farthest from those chosen; of
 * equal ones the lowest index (GIOROM spec 3.4). Indices in the order of choice; O(n N).
 */
export function farthestPoints(points: ArrayLike<number>, dim: Dim, n: number, start = 0): Uint32Array {
  const total = points.length / dim;
  requireSample(n, total);
  if (start >= total) throw new Problem(`there is no point ${start} among ${total} to start from`);
  const distances = new Float64Array(total).fill(Number.POSITIVE_INFINITY);
  const chosen = new Uint32Array(n);
  for (let s = 0, next = start; s < n; s++) {
    const at = (chosen[s] = next) * dim;
    let farthest = -1;
    for (let i = 0; i < total; i++) {
      let d = 0;
      for (let k = 0; k < dim; k++) d += (points[i * dim + k] - points[at + k]) ** 2;
      if (d < distances[i]) distances[i] = d;
      if (distances[i] > farthest) {
        farthest = distances[i];
        next = i;
      }
    }
  }
  return chosen;
}

/** `n` different indices below `total`, each set equally likely, ascending. */
export function randomPoints(total: number, n: number, seed: number): Uint32Array {
  requireSample(n, total);
  return random(seed).permutation(total).slice(0, n).sort();
}

function requireSample(n: number, total: number): void {
  if (!(n >= 1 && n <= total))
    throw new Problem(`cannot choose ${n} of ${total} points; choose 1 to ${total}`);
}
