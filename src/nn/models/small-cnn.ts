import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { flatten, maxPool, relu } from "../../engine/operators/index.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";

export interface SmallCnnOptions extends ModelOptions {
  /** Filters of conv1 and conv2, neurons of fc1. Default 16, 32, 64. */
  widths?: readonly [number, number, number];
}

/**
 * Two blocks of conv 3×3 (padding 1), ReLU, max pool 2, then two linear layers: the network of the glyph demo. 38,282
 * parameters and 365,184 multiply–accumulates for a 1×16×16 input and 10 classes.
 */
export function smallCnn({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  widths = [16, 32, 64],
}: SmallCnnOptions): Graph {
  const graph = createGraph("small-cnn");
  const { conv2d, linear } = layers(graph, seed);
  let x = input(graph, "input", [batch, ...inputShape]);
  x = maxPool(relu(conv2d("conv1", x, widths[0], { padding: 1 })), 2);
  x = maxPool(relu(conv2d("conv2", x, widths[1], { padding: 1 })), 2);
  x = relu(linear("fc1", flatten(x), widths[2]));
  output(linear("fc2", x, classes));
  return graph;
}
