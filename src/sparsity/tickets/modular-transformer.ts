import type { Graph, Value } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import {
  add,
  gather,
  gemm,
  matmul,
  mul,
  reduceSum,
  relu,
  reshape,
  softmax,
  transpose,
} from "../../engine/operators/index.ts";
import { normal } from "../../nn/initializers.ts";
import { layers } from "../../nn/layers.ts";

/** x and y. */
const TOKENS = 2;

export interface ModularTransformerOptions {
  /** Elements of the task. */
  vocabulary: number;
  classes: number;
  /** Width of the residual stream. Default 128. */
  width?: number;
  /** Default 1. */
  heads?: number;
  /** Neurons of an MLP. Default: the width. */
  hidden?: number;
  /** Default 1. */
  blocks?: number;
  batch?: number;
  seed?: number;
}

/**
 * The transformer of grokking.md section 2: no layer norm, no biases, ReLU, read at the second token. Like the published
 * code, whose line that would add them is commented out, and like the vectors, it has no positions: that one token is read
 * tells x from y. Input `tokens` int32 [batch, 2]. Parameters `embed` [width, vocabulary], per block `key`, `query`,
 * `value`, `out` [width, width], `mlp.in` [hidden, width], `mlp.out` [width, hidden], and `unembed` [width, classes], all
 * normal: `embed` with standard deviation 1/√vocabulary, the others with 1/√(fan-in).
 */
export function modularTransformer(options: ModularTransformerOptions): Graph {
  const {
    vocabulary,
    classes,
    width = 128,
    heads = 1,
    hidden = width,
    blocks = 1,
    batch = 1,
    seed = 0,
  } = options;
  const graph = createGraph("modular-transformer");
  const build = layers(graph, seed);
  const weight = (name: string, rows: number, columns: number, fanIn = columns) =>
    build.weight(name, [rows, columns], fanIn, normal(fanIn ** -0.5));
  const ids = input(graph, "tokens", [batch, TOKENS], { dtype: "int32" });
  const embed = weight("embed", width, vocabulary);
  const size = width / heads;
  /** [batch·n, width] → [batch, n, heads, size]. */
  const perHead = (x: Value, n: number) => reshape(x, [-1, n, heads, size]);

  // A token is the same row in every sample: the first block projects each such row once.
  const rows = transpose(embed, [1, 0]);
  const last = gather(ids, [TOKENS - 1], 1);
  const lookUp = (table: Value, at: Value) => reshape(gather(table, at), [-1, width]);
  const lastOf = (x: Value) => reshape(gather(reshape(x, [-1, TOKENS, width]), [TOKENS - 1], 1), [-1, width]);

  let x: Value | undefined;
  for (let i = 1; i <= blocks; i++) {
    const name = blocks === 1 ? "" : `block${i}.`;
    // What follows the last block's attention is read at the last position alone.
    const n = i === blocks ? 1 : TOKENS;
    const read = (at: "every" | "read", through: (x: Value) => Value = (v) => v) => {
      const one = at === "read" && n === 1;
      return x ? through(one ? lastOf(x) : x) : lookUp(through(rows), one ? last : ids);
    };
    const project = (part: string) => {
      const w = weight(name + part, width, width);
      return (from: Value) => gemm(from, w, { transB: true });
    };
    const keys = perHead(read("every", project("key")), TOKENS);
    const queries = perHead(read("read", project("query")), n);
    const values = perHead(read("every", project("value")), TOKENS);
    const mixed = reshape((n === 1 ? attendOnce : attend)(queries, keys, values), [-1, width]);
    const attended = add(read("read"), project("out")(mixed));
    const neurons = relu(gemm(attended, weight(`${name}mlp.in`, hidden, width), { transB: true }));
    x = add(attended, gemm(neurons, weight(`${name}mlp.out`, width, hidden), { transB: true }));
  }
  output(gemm(x!, weight("unembed", width, classes, width)));
  return graph;
}

/** Attention by heads: queries [batch, n, heads, size], keys and values [batch, context, heads, size] → [batch, n, heads, size]. */
function attend(queries: Value, keys: Value, values: Value): Value {
  const [q, k, v] = [queries, keys, values].map((x) => transpose(x, [0, 2, 1, 3]));
  const attention = softmax(mul(matmul(q, transpose(k, [0, 1, 3, 2])), q.shape[3] ** -0.5));
  return transpose(matmul(attention, v), [0, 2, 1, 3]);
}

/** The same for a single query: products with one row each are sums, which run several times faster. */
function attendOnce(query: Value, keys: Value, values: Value): Value {
  const [, context, heads, size] = keys.shape;
  const scores = transpose(reduceSum(mul(keys, query), [3]), [0, 2, 1]);
  const attention = transpose(softmax(mul(scores, size ** -0.5)), [0, 2, 1]);
  return reduceSum(mul(values, reshape(attention, [-1, context, heads, 1])), [1]);
}
