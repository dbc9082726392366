import { expect, test } from "vitest";
import type { Graph } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { flatten, maxPool, relu } from "../../src/engine/operators/index.ts";
import { layers } from "../../src/nn/layers.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { random } from "../../src/random.ts";
import { foldConstants } from "../../src/sparsity/fold-constants.ts";
import { shrinkZeros } from "../../src/sparsity/shrink-zeros.ts";
import { exactDifference, randomFeeds } from "./shrink/equality.ts";

const row = (graph: Graph, name: string, index: number) => {
  const { shape, data } = graph.parameters.get(name)!;
  const size = data.length / shape[0];
  return data.subarray(index * size, (index + 1) * size);
};

test("neurons without inputs go, and what follows them stays the same", () => {
  const graph = mlp({ inputShape: [6], classes: 3, hidden: [8, 5], batch: 4, seed: 1 });
  // 2 is positive behind its ReLU, 5 is not; neuron 3 of the next layer reads neuron 2 alone, so it is constant in turn.
  for (const neuron of [2, 5]) row(graph, "fc1.weight", neuron).fill(0);
  graph.parameters.get("fc1.bias")!.data.set([0.7], 2);
  graph.parameters.get("fc1.bias")!.data.set([-0.3], 5);
  row(graph, "fc2.weight", 3).fill(0).set([1.5], 2);
  graph.parameters.get("fc2.bias")!.data.set([0.2], 3);
  const before = graph.parameters.get("fc2.bias")!.data.slice();

  const { graph: folded, folded: count } = foldConstants(graph);
  const small = shrinkZeros(folded).graph;
  const feeds = randomFeeds(graph, random(2));
  expect(count).toBe(2);
  expect(small.parameters.get("fc1.weight")!.shape).toEqual([6, 6]);
  expect(small.parameters.get("fc2.weight")!.shape).toEqual([4, 6]);
  expect(exactDifference(small, graph, feeds)).toBeLessThan(1e-6);
  expect([...graph.parameters.get("fc2.bias")!.data]).toEqual([...before]);
  // Control: without folding, the constant neurons stay.
  expect(shrinkZeros(graph).graph.parameters.get("fc2.weight")!.shape).toEqual([5, 7]);
});

function convolutional(padding: number): Graph {
  const graph = createGraph("conv");
  const { conv2d, linear } = layers(graph, 3);
  let x = input(graph, "input", [2, 1, 8, 8]);
  x = maxPool(conv2d("conv1", x, 4, { kernel: 3, padding }), 2);
  x = relu(conv2d("conv2", x, 3, { kernel: 2, padding }));
  output(linear("fc", flatten(x), 2));
  for (const layer of ["conv1", "conv2"]) {
    row(graph, `${layer}.weight`, 1).fill(0);
    graph.parameters.get(`${layer}.bias`)!.data.set([0.4], 1);
  }
  return graph;
}

test("filters without weights go, through pooling and flattening", () => {
  const graph = convolutional(0);
  const { graph: folded, folded: count } = foldConstants(graph);
  const small = shrinkZeros(folded).graph;
  // One filter that conv2 reads, and one that is 2 × 2 inputs of the linear layer.
  expect(count).toBe(1 + 4);
  expect(small.parameters.get("conv2.weight")!.shape).toEqual([2, 3, 2, 2]);
  expect(small.parameters.get("fc.weight")!.shape).toEqual([2, 8]);
  expect(exactDifference(small, graph, randomFeeds(graph, random(4)))).toBeLessThan(1e-6);
});

test("control: where a border of zeros meets the constant, the filter stays", () => {
  const graph = convolutional(1);
  const small = shrinkZeros(foldConstants(graph).graph).graph;
  expect(small.parameters.get("conv2.weight")!.shape).toEqual([2, 4, 2, 2]);
  expect(exactDifference(small, graph, randomFeeds(graph, random(4)))).toBeLessThan(1e-6);
});
