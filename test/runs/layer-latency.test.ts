import { expect, test } from "vitest";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { add, flatten, relu } from "../../src/engine/operators/index.ts";
import { layers } from "../../src/nn/layers.ts";
import { measureLayers, measureSparseLayers } from "../../src/runs/layer-latency.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";

test("every layer is timed alone, at the batch asked for and in the order of the account", async () => {
  const graph = createGraph("mixed");
  const { conv2d, batchNorm, linear } = layers(graph, 1);
  const x = relu(batchNorm("bn", conv2d("conv", input(graph, "x", [1, 1, 4, 4]), 2)));
  const wide = linear("wide", flatten(x), 1000);
  output(linear("last", add(linear("square", wide, 1000), wide), 4));
  const times = await measureLayers(graph, 32);
  const byName = Object.fromEntries(accountModel(graph).layers.map((l, i) => [l.name, times[i]]));
  expect(Object.keys(byName)).toEqual(["conv", "bn", "wide", "square", "last"]);
  expect(times.every((ms) => ms >= 0)).toBe(true);
  // A hundred times the work, and more, of the others.
  for (const name of ["conv", "bn", "last"]) expect(byName.square).toBeGreaterThan(3 * byName[name]);
  expect((await measureLayers(graph, 1))[3]).toBeLessThan(byName.square);
});

test("layers with sparse kernels are timed dense and sparse", async () => {
  const graph = createGraph("mlp");
  const { linear } = layers(graph, 1);
  const wide = relu(linear("wide", input(graph, "x", [1, 600]), 600));
  output(linear("full", wide, 600));
  const weights = graph.parameters.get("wide.weight")!.data;
  for (let i = 0; i < weights.length; i++) if (i % 100 > 0) weights[i] = 0;
  const times = await measureSparseLayers(graph, 16);
  expect([...times.keys()]).toEqual(["wide", "full"]);
  const gain = (name: string) => times.get(name)!.dense / times.get(name)!.sparse;
  // Control: to skip zeros pays only where there are some.
  expect(gain("wide")).toBeGreaterThan(2 * gain("full"));
});
