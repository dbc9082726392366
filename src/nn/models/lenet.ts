import type { Graph, Value } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { flatten, maxPool, relu } from "../../engine/operators/index.ts";
import type { Conv2dOptions } from "../layers.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";

export interface LenetOptions extends ModelOptions {
  /** Filters of conv1 and conv2, neurons of fc1. Default 20, 50, 500 (Caffe's LeNet). */
  widths?: readonly [number, number, number];
}

/**
 * LeNet as in Caffe: conv 5×5, max pool 2, conv 5×5, max pool 2, two linear layers, no padding; ReLU only after fc1.
 * 431,080 parameters and 2,293,000 multiply–accumulates for a 1×28×28 input.
 */
export function lenet({ widths = [20, 50, 500], ...options }: LenetOptions): Graph {
  return lenetLike("lenet", { ...options, widths }, { kernel: 5 }, (x) => x);
}

/** Two convolutions, each with `activation` and a max pool of 2 behind it, and two linear layers. */
export function lenetLike(
  name: string,
  { inputShape, classes, batch = 1, seed = 0, widths }: Required<Pick<LenetOptions, "widths">> & ModelOptions,
  convolution: Conv2dOptions,
  activation: (x: Value) => Value,
): Graph {
  const graph = createGraph(name);
  const { conv2d, linear } = layers(graph, seed);
  let x = input(graph, "input", [batch, ...inputShape]);
  x = maxPool(activation(conv2d("conv1", x, widths[0], convolution)), 2);
  x = maxPool(activation(conv2d("conv2", x, widths[1], convolution)), 2);
  x = relu(linear("fc1", flatten(x), widths[2]));
  output(linear("fc2", x, classes));
  return graph;
}
