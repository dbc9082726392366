import { describe, expect, test } from "vitest";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { mul } from "../../src/engine/operators/index.ts";
import { freshWeights } from "../../src/nn/fresh-weights.ts";
import { layers } from "../../src/nn/layers.ts";
import { MODELS } from "../../src/nn/models/index.ts";

const shape = { inputShape: [1, 16, 16], classes: 10 };
const numbers = (graph: ReturnType<(typeof MODELS)[string]>) =>
  Object.fromEntries([...graph.parameters, ...graph.constants].map(([name, { data }]) => [name, [...data]]));

describe.each(["small-cnn", "vgg-bn", "resnet20", "lenet-300-100"])("%s", (name) => {
  test("begins as its builder makes it, whatever it had learnt", () => {
    const wanted = numbers(MODELS[name]({ ...shape, seed: 5 }));
    const trained = importModel(exportModel(MODELS[name]({ ...shape, seed: 1 })));
    for (const t of trained.parameters.values()) t.data.fill(0.7);
    for (const [key, t] of trained.constants) if (key.includes("running")) (t.data as Float32Array).fill(3);
    const before = numbers(trained);
    expect(before).not.toEqual(wanted);
    freshWeights(trained, 5);
    expect(numbers(trained)).toEqual(wanted);
    freshWeights(trained, 6);
    expect(numbers(trained)).not.toEqual(wanted);
  });
});

test("a parameter that is used in another way is refused by name", () => {
  const graph = createGraph("odd");
  const x = input(graph, "input", [1, 4]);
  output(mul(x, layers(graph, 0).weight("gain", [4], 1)));
  expect(() => freshWeights(graph, 0)).toThrow(/"gain", which Mul reads/);
});
