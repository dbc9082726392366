import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { expect, test } from "vitest";
import { writeNpz } from "../../src/data/npz.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { flatten } from "../../src/engine/operators/index.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { layers } from "../../src/nn/layers.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { loadDataFor } from "../../src/runs/load-data.node.ts";
import { temporaryFolder } from "./support.ts";

test("images of a folder are read as the model in a file takes them", async () => {
  const folder = temporaryFolder();
  const images = join(folder, "images");
  for (let i = 0; i < 5; i++) {
    mkdirSync(join(images, "a"), { recursive: true });
    const data = new Uint8Array(24).fill(10 * i);
    writeFileSync(join(images, "a", `${i}.png`), encode({ width: 6, height: 4, channels: 1, data }));
  }
  const model = join(folder, "model.onnx");
  writeFileSync(model, exportModel(smallCnn({ inputShape: [3, 16, 12], classes: 2 })));
  expect((await loadDataFor(model, images, {})).inputShape).toEqual([3, 16, 12]);
  // A built-in model takes what there is.
  expect((await loadDataFor("small-cnn", images, {})).inputShape).toEqual([1, 4, 6]);
});

test("an array that is named like the only input is fed as it is", async () => {
  const folder = temporaryFolder();
  const graph = createGraph("series");
  output(layers(graph, 1).linear("fc", flatten(input(graph, "series", [1, 2, 3])), 2));
  const model = join(folder, "model.onnx");
  writeFileSync(model, exportModel(graph));
  const path = join(folder, "data.npz");
  const values = Array.from({ length: 12 }, (_, i) => 10 * i);
  const put = (name: string) => {
    const x = tensor("float32", [2, 2, 3], values);
    const y = tensor("int32", [2], [0, 1]);
    const arrays = { [`${name}_train`]: x, y_train: y, [`${name}_test`]: x, y_test: y };
    writeFileSync(path, writeNpz(new Map(Object.entries(arrays))));
  };
  put("series");
  const { inputShape, train, scale } = await loadDataFor(model, path, {});
  expect({ inputShape, scale }).toEqual({ inputShape: [2, 3], scale: { mean: [0], std: [1] } });
  expect([...train.inputs.data]).toEqual(values);
  // By Keras' name it is an image, in grey, to be normalised.
  put("x");
  const grey = await loadDataFor(model, path, {});
  expect(grey.inputShape).toEqual([1, 2, 3]);
  expect(grey.scale.mean[0]).toBeCloseTo(55, 4);
});
