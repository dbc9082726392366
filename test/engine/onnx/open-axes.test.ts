import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { flatten, globalAveragePool } from "../../../src/engine/operators/index.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { layers } from "../../../src/nn/layers.ts";
import { Problem } from "../../../src/problem.ts";
import { loadModelFile } from "../../../src/runs/load-model.node.ts";
import { temporaryFolder } from "../../runs/support.ts";

/** Any image in, two classes out; height and width are open, as exporters with dynamic axes leave them. */
function anyImage(): Uint8Array {
  const graph = createGraph("any image");
  const { conv2d, linear } = layers(graph, 0);
  const x = input(graph, "image", [1, 1, 8, 8]);
  output(linear("fc", flatten(globalAveragePool(conv2d("conv", x, 3, { kernel: 3 }))), 2));
  return exportModel(graph, { dimensions: { image: ["batch", 1, "height", "width"] } });
}

test("open axes get their lengths by name, or from the sample that the model is for", () => {
  const shapeOf = (options: Parameters<typeof importModel>[1]) =>
    importModel(anyImage(), options).types.get("image")!.shape;
  expect(shapeOf({ dimensions: { height: 6, width: 5 } })).toEqual([1, 1, 6, 5]);
  expect(shapeOf({ batch: 2, sampleShape: [1, 12, 10] })).toEqual([2, 1, 12, 10]);
  expect(shapeOf({ dimensions: { width: 5 }, sampleShape: [1, 12, 10] })).toEqual([1, 1, 12, 5]);
  // Control: without either, or with a sample of another rank, there is no length to take.
  expect(() => shapeOf({})).toThrow('"image" is open ("height"); give its length');
  expect(() => shapeOf({ sampleShape: [784] })).toThrow('"image" is open ("height"); give its length');
});

test("a name that no open axis has is refused, with those that there are", () => {
  expect(() => importModel(anyImage(), { dimensions: { hieght: 6 } })).toThrow(
    'no input has an open dimension "hieght"; there are height, width',
  );
  // The batch is not one of them: it is an option of its own.
  expect(() => importModel(anyImage(), { dimensions: { batch: 6 } })).toThrow('"batch"; there are height');
  const fixed = exportModel(importModel(anyImage(), { sampleShape: [1, 8, 8] }));
  expect(() => importModel(fixed, { dimensions: { height: 6 } })).toThrow(
    "all lengths but the batch are fixed",
  );
});

test.each([0, -1, 1.5, Number.NaN])("a length of %d is refused", (length) => {
  const options = { sampleShape: [1, 8, 8] };
  expect(() => importModel(anyImage(), { ...options, batch: length })).toThrow(
    `the batch is to have the length ${length}; give a whole number above 0`,
  );
  expect(() => importModel(anyImage(), { ...options, dimensions: { height: length } })).toThrow(
    `axis 2 of input "image" is to have the length ${length}`,
  );
  const rebatched = () => rebatch(importModel(anyImage(), options), length);
  expect(rebatched).toThrow(`a batch of ${length} samples: give a whole number, 1 or more`);
  expect(rebatched).toThrow(Problem);
});

test("a model file takes open axes from the data that it is loaded for", async () => {
  const path = join(temporaryFolder(), "any.onnx");
  writeFileSync(path, anyImage());
  const data = { name: "images", inputShape: [1, 12, 10], classes: ["a", "b"] };
  const { graph } = await loadModelFile(path, { data });
  expect(graph.types.get("image")!.shape).toEqual([1, 1, 12, 10]);
  // Axes that are fixed are still held to it.
  await expect(loadModelFile(path, { data: { ...data, inputShape: [3, 12, 10] } })).rejects.toThrow(
    "takes inputs of shape [batch, 1,12,10], but the samples of images have shape [3,12,10]",
  );
});
