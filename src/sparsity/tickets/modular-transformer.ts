import type { Graph, Value } from "../../engine/graph.ts";
import { constant, createGraph, input, output } from "../../engine/graph.ts";
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
import { tensor } from "../../engine/tensor.ts";
import { normal } from "../../nn/initializers.ts";
import { layers } from "../../nn/layers.ts";

export interface ModularTransformerOptions {
  /** Elements of the task; with three tokens one more is added for "=". */
  vocabulary: number;
  classes: number;
  /** Tokens: 2 (x, y; default) or 3 (x, y, =). */
  context?: 2 | 3;
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
 * The transformer of grokking.md section 2: no layer norm, no biases, learned positions, ReLU, read at the last
 * position. Input `tokens` int32 [batch, context]. Parameters `embed` [width, vocabulary], `positions` [context, width],
 * per block `key`, `query`, `value`, `out` [width, width], `mlp.in` [hidden, width], `mlp.out` [width, hidden], and
 * `unembed` [width, classes]; all are normal with standard deviation 1/√(fan-in).
 */
export function modularTransformer(options: ModularTransformerOptions): Graph {
  const {
    classes,
    context = 2,
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
  const vocabulary = options.vocabulary + (context === 3 ? 1 : 0);
  const ids = input(graph, "tokens", [batch, context], { dtype: "int32" });
  const embed = weight("embed", width, vocabulary, width);
  const positions = weight("positions", context, width);
  const size = width / heads;
  /** [batch·n, width] → [batch, n, heads, size]. */
  const perHead = (x: Value, n: number) => reshape(x, [-1, n, heads, size]);

  // A token at a position is the same row in every sample: the first block projects each such row once.
  const rows = reshape(add(transpose(embed, [1, 0]), reshape(positions, [context, 1, width])), [-1, width]);
  const offsets = Array.from({ length: context }, (_, t) => t * vocabulary);
  const every = add(ids, constant(graph, tensor("int32", [1, context], offsets)));
  const last = gather(every, [context - 1], 1);
  const lookUp = (table: Value, at: Value) => reshape(gather(table, at), [-1, width]);
  const lastOf = (x: Value) =>
    reshape(gather(reshape(x, [-1, context, width]), [context - 1], 1), [-1, width]);

  let x: Value | undefined;
  for (let i = 1; i <= blocks; i++) {
    const name = blocks === 1 ? "" : `block${i}.`;
    // What follows the last block's attention is read at the last position alone.
    const n = i === blocks ? 1 : context;
    const read = (at: "every" | "read", through: (x: Value) => Value = (v) => v) => {
      const one = at === "read" && n === 1;
      return x ? through(one ? lastOf(x) : x) : lookUp(through(rows), one ? last : every);
    };
    const project = (part: string) => {
      const w = weight(name + part, width, width);
      return (from: Value) => gemm(from, w, { transB: true });
    };
    const keys = perHead(read("every", project("key")), context);
    const queries = perHead(read("read", project("query")), n);
    const values = perHead(read("every", project("value")), context);
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
