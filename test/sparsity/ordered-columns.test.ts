import { expect, test } from "vitest";
import type { Graph } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { flatten, globalAveragePool, relu } from "../../src/engine/operators/index.ts";
import { layers } from "../../src/nn/layers.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { findWeights } from "../../src/sparsity/lines.ts";
import { hasOrderedColumns } from "../../src/sparsity/ordered-columns.ts";

function pooled(): Graph {
  const graph = createGraph("pooled");
  const { conv2d, linear } = layers(graph, 0);
  output(
    linear("fc", flatten(globalAveragePool(relu(conv2d("conv", input(graph, "x", [1, 1, 6, 6]), 4)))), 2),
  );
  return graph;
}

test.each([
  ["pixels, then neurons", mlp({ inputShape: [1, 4, 4], classes: 3, hidden: [5, 4] }), [true, false, false]],
  ["numbers that are fed", mlp({ inputShape: [7], classes: 3, hidden: [5] }), [true, false]],
  [
    "places of maps behind a flatten, then neurons",
    smallCnn({ inputShape: [1, 16, 16], classes: 10 }),
    [true, true, true, false],
  ],
  ["means of maps, one a channel", pooled(), [true, false]],
])("%s", (_, graph, ordered) => {
  expect(findWeights(graph).map((layer) => hasOrderedColumns(graph, layer))).toEqual(ordered);
});
