import type { Tensor } from "../../engine/tensor.ts";

/** An undirected graph whose nodes may have features and classes. */
export interface GraphData {
  name: string;
  nodes: number;
  /** Each edge once, [u, v, u, v, …] with u < v; no self loops. */
  edges: Uint32Array;
  /** [nodes, features]. */
  features?: Tensor<"float32">;
  labels?: Int32Array;
  classes: number;
}

/** Pairs of nodes, two numbers a pair. */
export type Pairs = Uint32Array;

export interface LinkSplit {
  train: Pairs;
  validation: Pairs;
  test: Pairs;
  /** As many pairs without an edge as there are edges. */
  validationNegatives: Pairs;
  testNegatives: Pairs;
}

export interface NodeSplit {
  train: Uint32Array;
  validation: Uint32Array;
  test: Uint32Array;
}

/** Each pair once, smaller node first, without self loops. */
export function uniqueEdges(pairs: ArrayLike<number>): Uint32Array {
  const seen = new Set<number>();
  for (let i = 0; i < pairs.length; i += 2)
    if (pairs[i] !== pairs[i + 1]) seen.add(pairKey(pairs[i], pairs[i + 1]));
  return Uint32Array.from([...seen].flatMap((key) => [Math.floor(key / 2 ** 26), key % 2 ** 26]));
}

/** One number for an unordered pair of nodes below 2²⁶. */
export function pairKey(u: number, v: number): number {
  return Math.min(u, v) * 2 ** 26 + Math.max(u, v);
}

/** Degree of every node. */
export function degrees(nodes: number, edges: ArrayLike<number>): Uint32Array {
  const counts = new Uint32Array(nodes);
  for (let i = 0; i < edges.length; i++) counts[edges[i]]++;
  return counts;
}
