import type { Graph, Value } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { add, clip, flatten, globalAveragePool, relu } from "../../engine/operators/index.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";
import { isLargeImage } from "./model.ts";

export interface MobilenetOptions extends ModelOptions {
  /** Multiplies every width. Default 1. */
  width?: number;
}

/** Convolution without bias, batch norm; depthwise where `groups` is the number of channels. */
function convNorms(graph: Graph, seed: number) {
  const { conv2d, batchNorm } = layers(graph, seed);
  return (name: string, x: Value, channels: number, kernel: number, stride = 1, groups = 1) =>
    batchNorm(
      `${name}.bn`,
      conv2d(`${name}.conv`, x, channels, { kernel, stride, groups, padding: (kernel - 1) / 2, bias: false }),
    );
}

/**
 * MobileNet (Howard et al. 2017): 13 pairs of a depthwise 3×3 and a pointwise convolution. The first convolution has
 * stride 2 for large images, 1 for small ones (3,217,226 parameters and 46.4 million multiply–accumulates for 3×32×32
 * and 10 classes).
 */
export function mobilenetV1({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  width = 1,
}: MobilenetOptions): Graph {
  const pairs: [channels: number, stride: number][] = [
    [64, 1],
    [128, 2],
    [128, 1],
    [256, 2],
    [256, 1],
    [512, 2],
    ...Array<[number, number]>(5).fill([512, 1]),
    [1024, 2],
    [1024, 1],
  ];
  const graph = createGraph("mobilenet-v1");
  const convNorm = convNorms(graph, seed);
  let x = input(graph, "input", [batch, ...inputShape]);
  x = relu(convNorm("stem", x, Math.round(32 * width), 3, isLargeImage(inputShape) ? 2 : 1));
  pairs.forEach(([channels, stride], i) => {
    const name = `block${i + 1}`;
    x = relu(convNorm(`${name}.depthwise`, x, x.shape[1], 3, stride, x.shape[1]));
    x = relu(convNorm(`${name}.pointwise`, x, Math.round(channels * width), 1));
  });
  output(layers(graph, seed).linear("fc", flatten(globalAveragePool(x)), classes));
  return graph;
}

/**
 * MobileNetV2 (Sandler et al. 2018, table 2): inverted residuals with linear bottlenecks and ReLU6. For small images the
 * first convolution and the second stage keep height and width.
 */
export function mobilenetV2({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  width = 1,
}: MobilenetOptions): Graph {
  const large = isLargeImage(inputShape);
  const stages: [expansion: number, channels: number, blocks: number, stride: number][] = [
    [1, 16, 1, 1],
    [6, 24, 2, large ? 2 : 1],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ];
  const graph = createGraph("mobilenet-v2");
  const convNorm = convNorms(graph, seed);
  const relu6 = (v: Value) => clip(v, 0, 6);
  let x = input(graph, "input", [batch, ...inputShape]);
  x = relu6(convNorm("stem", x, Math.round(32 * width), 3, large ? 2 : 1));
  stages.forEach(([expansion, channels, blocks, firstStride], stage) => {
    for (let b = 0; b < blocks; b++) {
      const name = `stage${stage + 1}.block${b + 1}`;
      const stride = b === 0 ? firstStride : 1;
      const wide = expansion * x.shape[1];
      const expanded = expansion === 1 ? x : relu6(convNorm(`${name}.expand`, x, wide, 1));
      const filtered = relu6(convNorm(`${name}.depthwise`, expanded, wide, 3, stride, wide));
      const projected = convNorm(`${name}.project`, filtered, Math.round(channels * width), 1);
      x = stride === 1 && projected.shape[1] === x.shape[1] ? add(x, projected) : projected;
    }
  });
  x = relu6(convNorm("head", x, Math.round(1280 * Math.max(1, width)), 1));
  output(layers(graph, seed).linear("fc", flatten(globalAveragePool(x)), classes));
  return graph;
}
