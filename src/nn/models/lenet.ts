import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { flatten, maxPool, relu } from "../../engine/operators/index.ts";
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
export function lenet({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  widths = [20, 50, 500],
}: LenetOptions): Graph {
  const graph = createGraph("lenet");
  const { conv2d, linear } = layers(graph, seed);
  let x = input(graph, "input", [batch, ...inputShape]);
  x = maxPool(conv2d("conv1", x, widths[0], { kernel: 5 }), 2);
  x = maxPool(conv2d("conv2", x, widths[1], { kernel: 5 }), 2);
  x = relu(linear("fc1", flatten(x), widths[2]));
  output(linear("fc2", x, classes));
  return graph;
}
