import { Problem } from "../../problem.ts";
import { deriveSeed, random } from "../../random.ts";
import type { GraphData, LinkSplit, NodeSplit, Pairs } from "./graph-data.ts";
import { pairKey } from "./graph-data.ts";

/** Random edges for validation and test, by default 5 and 10 % as HGCN takes, and as many pairs without an edge. */
export function splitLinks(
  { nodes, edges }: GraphData,
  { validation = 0.05, test = 0.1, seed = 0 } = {},
): LinkSplit {
  const count = edges.length / 2;
  const order = random(deriveSeed(seed, "edges")).permutation(count);
  const [held, tested] = [Math.floor(count * validation), Math.floor(count * test)];
  const part = (from: number, to: number): Pairs =>
    Uint32Array.from([...order.subarray(from, to)].flatMap((e) => [edges[2 * e], edges[2 * e + 1]]));
  const negatives = drawNonEdges(nodes, edges, held + tested, deriveSeed(seed, "non-edges"));
  return {
    validation: part(0, held),
    test: part(held, held + tested),
    train: part(held + tested, count),
    validationNegatives: negatives.slice(0, 2 * held),
    testNegatives: negatives.slice(2 * held),
  };
}

/** Distinct pairs of two nodes without an edge, all equally likely. */
function drawNonEdges(nodes: number, edges: Pairs, count: number, seed: number): Pairs {
  const taken = keysOf(edges);
  if (count > (nodes * (nodes - 1)) / 2 - taken.size)
    throw new Problem(
      `a graph of ${nodes} nodes and ${taken.size} edges has no ${count} pairs without an edge`,
    );
  const rng = random(seed);
  const pairs = new Uint32Array(2 * count);
  for (let i = 0; i < count; ) {
    const [u, v] = [rng.integer(nodes), rng.integer(nodes)];
    const key = pairKey(u, v);
    if (u === v || taken.has(key)) continue;
    taken.add(key);
    pairs[2 * i] = Math.min(u, v);
    pairs[2 * i + 1] = Math.max(u, v);
    i++;
  }
  return pairs;
}

export interface NegativeOptions {
  /** Pairs never drawn besides the training edges; HGCN leaves this empty, so that held-out edges may be drawn. */
  except?: readonly Pairs[];
  seed?: number;
}

/**
 * Pairs of two nodes that are no training edge, drawn with replacement: fills `into` for an epoch, whose number alone
 * decides what is drawn.
 */
export function negativeSampler(
  nodes: number,
  train: Pairs,
  { except = [], seed = 0 }: NegativeOptions = {},
): (epoch: number, into: Int32Array) => void {
  const taken = keysOf(train, ...except);
  if (taken.size >= (nodes * (nodes - 1)) / 2)
    throw new Problem(`all pairs of the ${nodes} nodes are joined; there is none to draw that is no edge`);
  return (epoch, into) => {
    const rng = random(deriveSeed(seed, "negatives", epoch));
    for (let i = 0; i < into.length; i += 2)
      do {
        into[i] = rng.integer(nodes);
        into[i + 1] = rng.integer(nodes);
      } while (into[i] === into[i + 1] || taken.has(pairKey(into[i], into[i + 1])));
  };
}

function keysOf(...lists: Pairs[]): Set<number> {
  const keys = new Set<number>();
  for (const pairs of lists)
    for (let i = 0; i < pairs.length; i += 2) keys.add(pairKey(pairs[i], pairs[i + 1]));
  return keys;
}

/** Shares of every class for validation and test, the rest for training, as HGCN splits Airport (15 and 15 %). */
export function splitNodes(
  labels: ArrayLike<number>,
  { validation = 0.15, test = 0.15, seed = 0 } = {},
): NodeSplit {
  const rng = random(deriveSeed(seed, "nodes"));
  const parts: [number[], number[], number[]] = [[], [], []];
  const classes = [...new Set(Array.from(labels))].sort((a, b) => a - b);
  for (const label of classes) {
    const members = Array.from(labels, (_, i) => i).filter((i) => labels[i] === label);
    const shuffled = [...rng.permutation(members.length)].map((i) => members[i]);
    const [held, tested] = [validation, test].map((share) => Math.round(share * members.length));
    shuffled.forEach((node, i) => parts[i < held ? 1 : i < held + tested ? 2 : 0].push(node));
  }
  const [train, held, tested] = parts.map((nodes) => Uint32Array.from(nodes));
  return { train, validation: held, test: tested };
}

/**
 * The split of HGCN's code, for comparison with published figures: shares of the nodes whose class is not 0 and of those
 * whose class is not 1, each as many as the smaller of the two lists has. With more than two classes the lists overlap,
 * so that nodes of class 2 and above can be in training and test at once.
 */
export function splitNodesOverlapping(
  labels: ArrayLike<number>,
  { validation = 0.15, test = 0.15, seed = 0 } = {},
): NodeSplit {
  const rng = random(deriveSeed(seed, "nodes"));
  const lists = [0, 1].map((absent) => {
    const members = Array.from(labels, (_, i) => i).filter((i) => labels[i] !== absent);
    return [...rng.permutation(members.length)].map((i) => members[i]);
  });
  const smaller = Math.min(...lists.map((list) => list.length));
  const [held, tested] = [validation, test].map((share) => Math.round(share * smaller));
  const parts = (from: number, to?: number) =>
    Uint32Array.from(lists.flatMap((list) => list.slice(from, to)));
  return { validation: parts(0, held), test: parts(held, held + tested), train: parts(held + tested) };
}
