import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { flatten, globalAveragePool, maxPool, relu } from "../../engine/operators/index.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";

/** A number is a 3×3 convolution with that many filters, "pool" halves height and width. */
export type VggLayer = number | "pool";

export interface VggOptions extends ModelOptions {
  layout?: readonly VggLayer[];
  batchNorm?: boolean;
}

const SMALL: readonly VggLayer[] = [32, 32, "pool", 64, 64, "pool", 128, 128, "pool"];

/** A network of 3×3 convolutions in the manner of VGG (Simonyan and Zisserman 2014), global pooling, one linear layer. */
export function vgg({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  layout = SMALL,
  batchNorm = false,
}: VggOptions): Graph {
  const graph = createGraph("vgg");
  const { conv2d, batchNorm: normalize, linear } = layers(graph, seed);
  let x = input(graph, "input", [batch, ...inputShape]);
  let index = 0;
  for (const layer of layout) {
    if (layer === "pool") {
      x = maxPool(x, 2);
      continue;
    }
    index++;
    x = conv2d(`conv${index}`, x, layer, { padding: 1, bias: !batchNorm });
    x = relu(batchNorm ? normalize(`bn${index}`, x) : x);
  }
  output(linear("fc", flatten(globalAveragePool(x)), classes));
  return graph;
}
