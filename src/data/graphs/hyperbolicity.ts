import { Problem } from "../../problem.ts";
import { random } from "../../random.ts";
import type { GraphData } from "./graph-data.ts";

/** Edges on the shortest way from `start` to every node; −1 where there is none. */
export function distancesFrom(neighbors: readonly (readonly number[])[], start: number): Int32Array {
  const distance = new Int32Array(neighbors.length).fill(-1);
  distance[start] = 0;
  const queue = [start];
  for (const node of queue)
    for (const next of neighbors[node])
      if (distance[next] < 0) {
        distance[next] = distance[node] + 1;
        queue.push(next);
      }
  return distance;
}

export function neighborLists({ nodes, edges }: Pick<GraphData, "nodes" | "edges">): number[][] {
  const lists: number[][] = Array.from({ length: nodes }, () => []);
  for (let i = 0; i < edges.length; i += 2) {
    lists[edges[i]].push(edges[i + 1]);
    lists[edges[i + 1]].push(edges[i]);
  }
  return lists;
}

export interface Hyperbolicity {
  /** The largest of the four-point defects that were looked at; 0 for a tree. */
  delta: number;
  /** Their mean, which does not grow with the number of samples. */
  mean: number;
}

/**
 * Gromov's δ of a graph's largest connected part: over four nodes, half of what the largest of the three sums
 * d(a,b) + d(c,d), d(a,c) + d(b,d), d(a,d) + d(b,c) exceeds the second by. The smaller, the more room a hyperbolic space
 * has for the graph. Exact without `samples`, in n⁴ steps; else over so many random quadruples, a lower bound.
 */
export function hyperbolicity(
  graph: Pick<GraphData, "nodes" | "edges">,
  { samples, seed = 0 }: { samples?: number; seed?: number } = {},
): Hyperbolicity {
  const neighbors = neighborLists(graph);
  const part = largestPart(neighbors);
  if (part.length < 4) throw new Problem(`δ needs four connected nodes; the graph has ${part.length}`);
  const known = new Map<number, Int32Array>();
  const from = (node: number) => {
    if (!known.has(node)) known.set(node, distancesFrom(neighbors, node));
    return known.get(node)!;
  };
  let [delta, sum, count] = [0, 0, 0];
  const look = (a: number, b: number, c: number, d: number) => {
    const [fromA, fromB] = [from(a), from(b)];
    const sums = [fromA[b] + from(c)[d], fromA[c] + fromB[d], fromA[d] + fromB[c]].sort((x, y) => y - x);
    const defect = (sums[0] - sums[1]) / 2;
    delta = Math.max(delta, defect);
    sum += defect;
    count++;
  };
  if (samples === undefined)
    part.forEach((a, i) =>
      part.slice(0, i).forEach((b, j) =>
        part.slice(0, j).forEach((c, k) => {
          for (const d of part.slice(0, k)) look(a, b, c, d);
        }),
      ),
    );
  else {
    const rng = random(seed);
    // Quadruples among some hundred nodes, so that few distances are needed.
    const pool = [...rng.permutation(part.length).subarray(0, 200)].map((i) => part[i]);
    while (count < samples) {
      const [a, b, c, d] = [0, 1, 2, 3].map(() => pool[rng.integer(pool.length)]);
      look(a, b, c, d);
    }
  }
  return { delta, mean: sum / count };
}

function largestPart(neighbors: readonly (readonly number[])[]): number[] {
  const seen = new Uint8Array(neighbors.length);
  let largest: number[] = [];
  neighbors.forEach((_, start) => {
    if (seen[start]) return;
    const part = [...distancesFrom(neighbors, start)].flatMap((d, node) => (d < 0 ? [] : [node]));
    for (const node of part) seen[node] = 1;
    if (part.length > largest.length) largest = part;
  });
  return largest;
}
