import { expect, test } from "vitest";
import type { Graph } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { add, relu } from "../../src/engine/operators/index.ts";
import { layers } from "../../src/nn/layers.ts";
import { MODELS } from "../../src/nn/models/index.ts";
import { vgg } from "../../src/nn/models/vgg.ts";
import { random } from "../../src/random.ts";
import { foldBatchNorm } from "../../src/sparsity/fold-batch-norm.ts";
import { exactDifference, randomFeeds } from "./shrink/equality.ts";

/** The same network as if it had been trained: no statistic, scale or bias is what it was at the start. */
function trained(graph: Graph): Graph {
  const { uniform } = random(5);
  for (const { op, inputs } of graph.nodes)
    if (op === "BatchNormalization")
      for (const name of inputs.slice(1)) {
        const { data } = (graph.parameters.get(name) ?? graph.constants.get(name))!;
        for (let i = 0; i < data.length; i++) data[i] = 0.5 + uniform();
      }
  return graph;
}

const norms = ({ nodes }: Graph) => nodes.filter(({ op }) => op === "BatchNormalization").length;

test.each([
  ["with biases", { bias: true }],
  ["without biases", { bias: false }],
])("convolutions %s take over their batch norms", (_, options) => {
  const graph = trained(
    vgg({
      inputShape: [3, 8, 8],
      classes: 4,
      batch: 2,
      batchNorm: true,
      layout: [6, 5, "pool", 8],
      ...options,
    }),
  );
  const weights = graph.parameters.get("conv1.weight")!.data.slice();
  const folded = foldBatchNorm(graph);
  expect([norms(graph), norms(folded)]).toEqual([3, 0]);
  expect(exactDifference(folded, graph, randomFeeds(graph, random(1)))).toBeLessThan(1e-6);
  expect([...folded.parameters.keys()].sort()).toEqual(
    ["conv1", "conv2", "conv3", "fc"].flatMap((name) => [`${name}.bias`, `${name}.weight`]),
  );
  // The original is as it was, and the file holds the folded one.
  expect(graph.parameters.get("conv1.weight")!.data).toEqual(weights);
  const again = importModel(exportModel(folded), { batch: 2 });
  expect(exactDifference(again, graph, randomFeeds(graph, random(1)))).toBeLessThan(1e-6);
});

test("a residual network loses all its batch norms and computes the same", () => {
  const graph = trained(MODELS.resnet20({ inputShape: [3, 8, 8], classes: 4, batch: 2 }));
  const folded = foldBatchNorm(graph);
  expect(norms(graph)).toBeGreaterThan(10);
  expect(norms(folded)).toBe(0);
  expect(exactDifference(folded, graph, randomFeeds(graph, random(1)))).toBeLessThan(1e-5);
});

test("a convolution that something else reads too keeps its batch norm", () => {
  const graph = createGraph("shared");
  const { conv2d, batchNorm } = layers(graph, 0);
  const x = input(graph, "input", [2, 3, 5, 5]);
  const y = conv2d("conv", x, 4, { padding: 1 });
  output(relu(add(batchNorm("bn", y), y)));
  trained(graph);
  const folded = foldBatchNorm(graph);
  expect(norms(folded)).toBe(1);
  expect(exactDifference(folded, graph, randomFeeds(graph, random(1)))).toBe(0);
});
