import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { flatten, globalAveragePool, maxPool, relu } from "../../engine/operators/index.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";
import { isLargeImage } from "./model.ts";

/** A number is a 3×3 convolution with that many filters, "pool" halves height and width. */
export type VggLayer = number | "pool";

export interface VggOptions extends ModelOptions {
  layout?: readonly VggLayer[];
  /** Widths of the hidden linear layers. With none, features are averaged over height and width instead of flattened. */
  hidden?: readonly number[];
  batchNorm?: boolean;
  /** Of the convolutions. Default: only without batch norm, which would take it away again. */
  bias?: boolean;
}

const SMALL: readonly VggLayer[] = [32, 32, "pool", 64, 64, "pool", 128, 128, "pool"];

/** A network of 3×3 convolutions in the manner of VGG (Simonyan and Zisserman 2014), a small one by default. */
export function vgg({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  layout = SMALL,
  hidden = [],
  batchNorm = false,
  bias = !batchNorm,
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
    x = conv2d(`conv${index}`, x, layer, { padding: 1, bias });
    x = relu(batchNorm ? normalize(`bn${index}`, x) : x);
  }
  x = flatten(hidden.length ? x : globalAveragePool(x));
  hidden.forEach((width, i) => (x = relu(linear(`fc${i + 1}`, x, width))));
  output(linear(hidden.length ? `fc${hidden.length + 1}` : "fc", x, classes));
  return graph;
}

export interface Vgg16Options extends ModelOptions {
  batchNorm?: boolean;
  /** Multiplies every width. Default 1. */
  width?: number;
}

/**
 * VGG16, configuration D of the paper. Hidden linear layers have 4096 neurons for large images, 512 for 32×32 ones
 * (15,245,130 parameters and 313.7 million multiply–accumulates there, with 10 classes). Without its dropout; with batch
 * norm the biases stay, as published counts have them.
 */
export function vgg16({ width = 1, batchNorm, ...options }: Vgg16Options): Graph {
  const convolutions = [
    1,
    1,
    "pool",
    2,
    2,
    "pool",
    4,
    4,
    4,
    "pool",
    8,
    8,
    8,
    "pool",
    8,
    8,
    8,
    "pool",
  ] as const;
  const hidden = isLargeImage(options.inputShape) ? 4096 : 512;
  return vgg({
    ...options,
    batchNorm,
    bias: true,
    layout: convolutions.map((c) => (c === "pool" ? c : Math.round(64 * c * width))),
    hidden: [hidden, hidden].map((h) => Math.round(h * width)),
  });
}
