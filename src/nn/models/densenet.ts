import type { Graph, Value } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { averagePool, concat, flatten, globalAveragePool, relu } from "../../engine/operators/index.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";

export interface DensenetOptions extends ModelOptions {
  /** Channels that each layer adds. Default 12. */
  growth?: number;
  /** Layers of each of the three blocks. Default 12: DenseNet40. */
  depth?: number;
}

/**
 * DenseNet for small images (Huang et al. 2016, section 3, without bottlenecks or compression): every layer reads all
 * before it in its block. By default DenseNet40 with growth 12: 1,019,722 parameters and 264.8 million
 * multiply–accumulates for 3×32×32 and 10 classes.
 */
export function densenet({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  growth = 12,
  depth = 12,
}: DensenetOptions): Graph {
  const graph = createGraph("densenet");
  const { conv2d, batchNorm, linear } = layers(graph, seed);
  const normConv = (name: string, x: Value, channels: number, kernel: number) =>
    conv2d(`${name}.conv`, relu(batchNorm(`${name}.bn`, x)), channels, {
      kernel,
      padding: (kernel - 1) / 2,
      bias: false,
    });
  let x = input(graph, "input", [batch, ...inputShape]);
  x = conv2d("stem.conv", x, 16, { padding: 1, bias: false });
  for (let block = 1; block <= 3; block++) {
    if (block > 1) x = averagePool(normConv(`transition${block - 1}`, x, x.shape[1], 1), 2);
    for (let layer = 1; layer <= depth; layer++)
      x = concat([x, normConv(`block${block}.layer${layer}`, x, growth, 3)], 1);
  }
  output(linear("fc", flatten(globalAveragePool(relu(batchNorm("head.bn", x)))), classes));
  return graph;
}
