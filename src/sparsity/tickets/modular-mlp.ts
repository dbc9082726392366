import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { gemm, relu } from "../../engine/operators/index.ts";
import { normal } from "../../nn/initializers.ts";
import { layers } from "../../nn/layers.ts";

export interface ModularMlpOptions {
  /** Tokens that can be counted: `vocabularyOf(task)`. */
  vocabulary: number;
  classes: number;
  /** Width of the embedding. Default 500. */
  width?: number;
  /** Neurons of the hidden layer. Default 48. */
  hidden?: number;
  batch?: number;
  seed?: number;
}

/** The MLP's parameters, from input to output: `embed` [width, p], `inproj` [hidden, width], `outproj` [width, hidden], `unembed` [width, p]. */
export const MLP_LAYERS = ["embed", "inproj", "outproj", "unembed"] as const;

/**
 * The network of grokking.md section 2: logits = W_Uᵀ W_O ReLU(W_I (e_x + e_y)), without biases; normal weights of
 * standard deviation 1/√(fan-in), those of the embedding 1/√p.
 *
 * Input `counts` [batch, vocabulary] says how often each token stands in the sample. What does not depend on the batch
 * is multiplied first (W_I W_E and W_Oᵀ W_U): the same function at a fraction of the work.
 */
export function modularMlp({
  vocabulary,
  classes,
  width = 500,
  hidden = 48,
  batch = 1,
  seed = 0,
}: ModularMlpOptions): Graph {
  const graph = createGraph("modular-mlp");
  const { weight } = layers(graph, seed);
  const w = (name: (typeof MLP_LAYERS)[number], rows: number, columns: number, std: number) =>
    weight(name, [rows, columns], columns, normal(std));
  const counts = input(graph, "counts", [batch, vocabulary]);
  const embed = w("embed", width, vocabulary, vocabulary ** -0.5);
  const inproj = w("inproj", hidden, width, width ** -0.5);
  const outproj = w("outproj", width, hidden, hidden ** -0.5);
  const unembed = w("unembed", width, classes, width ** -0.5);
  const h = relu(gemm(counts, gemm(inproj, embed), { transB: true }));
  output(gemm(h, gemm(outproj, unembed, { transA: true })));
  return graph;
}
