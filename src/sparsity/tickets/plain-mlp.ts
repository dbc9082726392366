import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { relu } from "../../engine/operators/index.ts";
import { uniformFanIn } from "../../nn/initializers.ts";
import { layers } from "../../nn/layers.ts";

export interface PlainMlpOptions {
  /** Of input, hidden layers and output. */
  sizes: readonly number[];
  /** What initial weights are multiplied by: the larger, the later a network generalises. Default 1. */
  scale?: number;
  batch?: number;
  seed?: number;
}

/**
 * Linear layers without biases, ReLU between them (grokking.md section 2, MNIST); weights uniform in ±scale/√fan-in.
 * Input `x` [batch, sizes[0]]; parameters `fc1.weight` [sizes[1], sizes[0]] and so on.
 */
export function plainMlp({ sizes, scale = 1, batch = 1, seed = 0 }: PlainMlpOptions): Graph {
  const graph = createGraph("plain-mlp");
  const { linear } = layers(graph, seed);
  let y = input(graph, "x", [batch, sizes[0]]);
  sizes.slice(1).forEach((size, i) => {
    const x = i === 0 ? y : relu(y);
    y = linear(`fc${i + 1}`, x, size, {
      bias: false,
      initializer: (shape, fanIn, rng) => {
        const weight = uniformFanIn(shape, fanIn, rng);
        for (let k = 0; k < weight.data.length; k++) weight.data[k] *= scale;
        return weight;
      },
    });
  });
  output(y);
  return graph;
}
