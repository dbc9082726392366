import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { flatten, relu } from "../../engine/operators/index.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";

/** Fully connected ReLU network: `hidden` widths, then one logit a class. LeNet-300-100 is `hidden: [300, 100]`. */
export function mlp({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  hidden,
}: ModelOptions & { hidden: readonly number[] }): Graph {
  const graph = createGraph("mlp");
  const { linear } = layers(graph, seed);
  let x = input(graph, "input", [batch, ...inputShape]);
  if (inputShape.length > 1) x = flatten(x);
  hidden.forEach((width, i) => {
    x = relu(linear(`fc${i + 1}`, x, width));
  });
  output(linear(`fc${hidden.length + 1}`, x, classes));
  return graph;
}
