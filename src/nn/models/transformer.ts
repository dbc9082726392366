import type { Graph, Value } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import {
  add,
  gelu,
  matmul,
  mul,
  relu,
  reshape,
  slice,
  softmax,
  split,
  transpose,
} from "../../engine/operators/index.ts";
import type { Layers } from "../layers.ts";
import { layers } from "../layers.ts";
import { futureMask } from "./future-mask.ts";

export interface TransformerOptions {
  vocabulary: number;
  /** Tokens in a sequence. */
  context: number;
  /** Width of the residual stream. */
  width: number;
  heads: number;
  /** Width of the hidden layer of each MLP. Default 4 × width. */
  mlpWidth?: number;
  blocks: number;
  /** Classes of a prediction. Default: the vocabulary. */
  classes?: number;
  /** Normalise before each sublayer and at the end (Xiong et al. 2020). Default true. */
  layerNorm?: boolean;
  activation?: "gelu" | "relu";
  /** A position sees only itself and those before it. Default true. */
  causal?: boolean;
  /** Predict at every position (logits [batch·context, classes]) or at the last alone ([batch, classes]). Default every. */
  predict?: "every" | "last";
  batch?: number;
  seed?: number;
}

/** Transformer over int32 tokens [batch, context] with learned positions (Vaswani et al. 2017). */
export function transformer(options: TransformerOptions): Graph {
  const {
    vocabulary,
    context,
    width,
    blocks,
    classes = vocabulary,
    layerNorm = true,
    predict = "every",
    batch = 1,
    seed = 0,
  } = options;
  const graph = createGraph("transformer");
  const build = layers(graph, seed);
  const ids = input(graph, "input", [batch, context], { dtype: "int32" });
  const positions = build.weight("positions", [context, width], width);
  let x = reshape(add(build.embedding("tokens", ids, vocabulary, width, { std: width ** -0.5 }), positions), [
    -1,
    width,
  ]);
  for (let i = 1; i <= blocks; i++) x = block(build, `block${i}`, x, options);
  if (layerNorm) x = build.layerNorm("norm", x);
  if (predict === "last") {
    const last = slice(reshape(x, [-1, context, width]), { 1: { start: context - 1 } });
    x = reshape(last, [-1, width]);
  }
  output(build.linear("head", x, classes, { bias: false }));
  return graph;
}

/** Attention and MLP, each added to the residual stream x [batch·context, width]. */
function block(build: Layers, name: string, x: Value, options: TransformerOptions): Value {
  const { width, mlpWidth = 4 * width, layerNorm = true, activation = "gelu" } = options;
  const act = activation === "relu" ? relu : gelu;
  const normed = (part: string, v: Value) => (layerNorm ? build.layerNorm(`${name}.${part}`, v) : v);
  const attended = add(x, attention(build, `${name}.attention`, normed("norm1", x), options));
  const hidden = act(build.linear(`${name}.mlp.1`, normed("norm2", attended), mlpWidth));
  return add(attended, build.linear(`${name}.mlp.2`, hidden, width));
}

function attention(
  build: Layers,
  name: string,
  x: Value,
  { width, context, heads, causal = true }: TransformerOptions,
): Value {
  const size = width / heads;
  const projected = reshape(build.linear(`${name}.qkv`, x, 3 * width), [-1, context, 3, heads, size]);
  const [q, k, v] = split(transpose(projected, [2, 0, 3, 1, 4]), [1, 1, 1], 0).map((part) =>
    reshape(part, [-1, heads, context, size]),
  );
  const scores = mul(matmul(q, transpose(k, [0, 1, 3, 2])), size ** -0.5);
  const weights = softmax(causal ? add(scores, futureMask(x.graph, context)) : scores);
  const mixed = reshape(transpose(matmul(weights, v), [0, 2, 1, 3]), [-1, width]);
  return build.linear(`${name}.out`, mixed, width);
}
