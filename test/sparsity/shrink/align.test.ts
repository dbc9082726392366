import { describe, expect, it } from "vitest";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { concat, matmul, pad } from "../../../src/engine/operators/index.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { decoder } from "../../../src/nn/models/decoder.ts";
import { deriveSeed, random } from "../../../src/random.ts";
import { alignChannels, storePadding } from "../../../src/sparsity/align.ts";
import { paddedDeviations } from "../../../src/sparsity/turbo-vbi/deviations.ts";
import { exactDifference, randomFeeds, runtimeDifference } from "./equality.ts";
import { MODELS } from "./models.ts";

describe.each(Object.entries(MODELS))("%s with widths rounded up", (kind, build) => {
  it.each([0, 1, 2, 3, 4])("computes the same, seed %i", async (seed) => {
    const r = random(deriveSeed(seed, kind));
    const graph = build(r);
    const feeds = randomFeeds(graph, r);
    const aligned = alignChannels(graph);
    expect(exactDifference(aligned, graph, feeds)).toBeLessThan(1e-12);
    expect(await runtimeDifference(aligned, graph, feeds)).toBeLessThan(1e-5);
    expect([...aligned.parameters]).toEqual([...graph.parameters]);
  });
});

it("rounds every convolution of a plain network, and the readers with them", () => {
  const graph = MODELS["mini-VGG"](random(1));
  const aligned = alignChannels(graph);
  const widths = aligned.nodes
    .filter((n) => n.op === "Conv")
    .map((n) => aligned.types.get(n.outputs[0])!.shape[1]);
  const before = graph.nodes
    .filter((n) => n.op === "Conv")
    .map((n) => graph.types.get(n.outputs[0])!.shape[1]);
  expect(before.some((w) => w % 8 !== 0)).toBe(true);
  expect(widths).toEqual(before.map((w) => Math.ceil(w / 8) * 8));
});

it("leaves a network alone whose analysis takes a shared constant apart", () => {
  // Both blocks read one mask.
  const sizes = { vocabulary: 5, context: 4, width: 4, blocks: 2, heads: 1, mlpWidth: 3 };
  const graph = decoder({ layout: "opt", ...sizes, positions: 6, positionOffset: 2 });
  expect(alignChannels(graph)).toBe(graph);
});

it("with the zeros in the file computes the same, and weights keep their names there", () => {
  const r = random(2);
  const graph = MODELS["mini-VGG"](r);
  const feeds = randomFeeds(graph, r);
  const stored = storePadding(alignChannels(graph));
  expect(exactDifference(stored, graph, feeds)).toBeLessThan(1e-12);
  const namesIn = ({ parameters }: typeof graph) => [...parameters.keys()].sort();
  const read = importModel(exportModel(stored));
  expect(namesIn(read)).toEqual(namesIn(graph));
  for (const [name, { shape }] of stored.parameters) expect(read.parameters.get(name)!.shape).toEqual(shape);
  // Control: where zeros are added on loading, names go.
  expect(namesIn(importModel(exportModel(alignChannels(graph))))).not.toEqual(namesIn(graph));
  // What lies beside the weights grows with them.
  const grown = paddedDeviations(graph.parameters, stored);
  for (const [name, { shape, data }] of grown) expect({ shape, data }).toEqual(pick(stored, name));
});

it("leaves weights alone that something else reads as they are", () => {
  const graph = createGraph("tied");
  const x = input(graph, "x", [2, 3]);
  const w = parameter(graph, "w", tensor("float32", [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]));
  output(concat([matmul(x, w), matmul(x, pad(w, [0, 0], [0, 2]))], 1));
  const feeds = randomFeeds(graph, random(3));
  expect(exactDifference(storePadding(graph), graph, feeds)).toBe(0);
});

const pick = ({ parameters }: ReturnType<typeof storePadding>, name: string) => {
  const { shape, data } = parameters.get(name)!;
  return { shape, data };
};
