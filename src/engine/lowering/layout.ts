import type { Graph, Node, Value } from "../graph.ts";
import { pad, slice } from "../operators/cutting.ts";
import { reshape } from "../operators/reshape.ts";
import { reorderInput, reorderOutput } from "./nchwc.ts";

/**
 * Which values of a graph under construction exist in blocked layout too. Channels are padded to whole blocks; the
 * padding is zero in every float value, so that no sum ever sees anything else.
 */
export interface Layout {
  readonly block: number;
  /** `channels` rounded up to whole blocks. */
  padded(channels: number): number;
  /** The blocked form of a plain value [n, c, h, w], if there is one: [n, padded(c), h, w]. */
  find(plain: Value | undefined): Value | undefined;
  /** The blocked form, reordered where there was none. */
  blocked(plain: Value): Value;
  /** Notes that `blocked` is the other form of `plain`. */
  pair(plain: Value, blocked: Value): void;
  /** The plain form of a new blocked value with that many true channels. It costs nothing where nobody reads it. */
  plain(blocked: Value, channels: number): Value;
  /** The node that computes a value of the graph under construction. */
  producer(value: Value): Node | undefined;
}

export function createLayout(graph: Graph, block: number): Layout {
  const pairs = new Map<string, Value>();
  const producers = new Map<string, Node>();
  let seen = 0;
  const layout: Layout = {
    block,
    padded: (channels) => Math.ceil(channels / block) * block,
    find: (plain) => plain && pairs.get(plain.name),
    pair: (plain, blocked) => pairs.set(plain.name, blocked),
    blocked: (plain) => {
      const known = pairs.get(plain.name);
      if (known) return known;
      const wide = padChannels(plain, layout.padded(plain.shape[1]));
      const blocked = cellsOf(plain) === 1 ? wide : reorderInput(wide);
      pairs.set(plain.name, blocked);
      return blocked;
    },
    plain: (blocked, channels) => {
      const value =
        cellsOf(blocked) > 1
          ? reorderOutput(blocked, channels)
          : channels === blocked.shape[1]
            ? blocked
            : slice(blocked, { 1: { end: channels } });
      pairs.set(value.name, blocked);
      return value;
    },
    producer: (value) => {
      for (; seen < graph.nodes.length; seen++)
        for (const name of graph.nodes[seen].outputs) producers.set(name, graph.nodes[seen]);
      return producers.get(value.name);
    },
  };
  return layout;
}

function cellsOf({ shape }: Value): number {
  return shape[2] * shape[3];
}

/** Appends zero channels to x [n, c, h, w]. */
function padChannels(x: Value, channels: number): Value {
  const [n, c, h, w] = x.shape;
  const rows = pad(reshape(x, [n, c * h * w]), [0, 0], [0, (channels - c) * h * w]);
  return c === channels ? x : reshape(rows, [n, channels, h, w]);
}

/** `vector` [c] with zeros up to `length`. */
export function padVector(vector: Value, length: number): Value {
  return pad(vector, [0], [length - vector.shape[0]]);
}

/** Weights [o, i, kh, kw] with zero filters and zero channels up to [filters, channels, kh, kw]. */
export function padWeights(w: Value, filters: number, channels: number): Value {
  return pad(w, [0, 0, 0, 0], [filters - w.shape[0], channels - w.shape[1], 0, 0]);
}
