import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Dataset, Split } from "../../src/data/dataset.ts";
import { unscaled } from "../../src/data/dataset.ts";
import type { Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { add, cast, concat, flatten, mul, slice } from "../../src/engine/operators/index.ts";
import type { Layers } from "../../src/nn/layers.ts";
import { layers } from "../../src/nn/layers.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { loadModel, loadModelFile } from "../../src/runs/load-model.node.ts";
import { checkLookups } from "../../src/runs/lookups.ts";
import { temporaryFolder } from "./support.ts";

/** Two numbers a sample that look something up, and a linear layer on what they find. */
function network(find: (ids: Value, build: Layers) => Value, dtype: "int32" | "int64" = "int64") {
  const graph = createGraph("two");
  const build = layers(graph, 1);
  const ids = input(graph, "ids", [1, 2], { dtype });
  output(build.linear("fc", flatten(find(ids, build)), 2));
  return graph;
}

const pairs = (...ids: number[]): Split => ({
  inputs: { dtype: "int32", shape: [ids.length / 2, 2], data: Int32Array.from(ids) },
  labels: new Int32Array(ids.length / 2),
});

const column = (ids: Value, i: number) => slice(ids, { 1: { start: i, end: i + 1 } });

describe("ids are looked up", () => {
  const one = network((ids, { embedding }) => embedding("table", ids, 10, 3));
  const later = network((ids, { embedding }) =>
    embedding("table", add(mul(cast(ids, "int32"), 2), -4), 10, 3),
  );
  const columns = network((ids, { embedding }) =>
    concat([embedding("a", column(ids, 0), 5, 3), embedding("b", column(ids, 1), 100, 3)], 1),
  );
  // More samples than are looked at together.
  const many = Array.from({ length: 600 }, (_, i) => i % 10);
  test.each<[string, typeof one, Split, string | undefined]>([
    ["as they are", one, pairs(0, 9, 9, 0), undefined],
    ["above the last", one, pairs(0, 9, 10, 0), '10, but "table.weight" has 10 rows, for the ids 0 to 9'],
    ["below 0", one, pairs(0, 9, -1, 0), "id -1"],
    ["in the last of many", one, pairs(...many, 3, 11), "id 11"],
    ["after a calculation", later, pairs(2, 6), undefined],
    ["beyond the table after it", later, pairs(2, 7), "id 10"],
    ["below 0 after it", later, pairs(1, 5), "id -2"],
    ["column by column", columns, pairs(4, 99), undefined],
    ["in the wrong column", columns, pairs(99, 4), 'id 99, but "a.weight" has 5 rows'],
  ])("%s", (_, graph, split, message) => {
    const check = () => checkLookups(graph, split, "the samples");
    if (message === undefined) expect(check).not.toThrow();
    else expect(check).toThrow(message);
  });
});

test("a file is given what it takes", async () => {
  const folder = temporaryFolder();
  const write = (name: string, graph: Parameters<typeof exportModel>[0]) => {
    const path = join(folder, name);
    writeFileSync(path, exportModel(graph));
    return path;
  };
  const data = (train: Split): Dataset => {
    const inputShape = train.inputs.shape.slice(1);
    return { name: "d", train, test: train, classes: ["0"], inputShape, scale: unscaled(inputShape) };
  };
  const ids = data(pairs(0, 9));
  const floats = data({
    inputs: { dtype: "float32", shape: [1, 2], data: Float32Array.of(0, 9) },
    labels: new Int32Array(1),
  });
  for (const dtype of ["int32", "int64"] as const) {
    const path = write(
      `${dtype}.onnx`,
      network((v, { embedding }) => embedding("table", v, 10, 3), dtype),
    );
    expect((await loadModelFile(path, { data: ids })).graph.types.get("ids")!.dtype).toBe(dtype);
    await expect(loadModelFile(path, { data: floats })).rejects.toThrow(
      `${path}: takes ${dtype}, but the samples of d are fed as float32; in an .npz file ids are int32 or int64`,
    );
  }
  const image = data({
    inputs: { dtype: "int32", shape: [1, 1, 8, 8], data: new Int32Array(64) },
    labels: new Int32Array(1),
  });
  const path = write("cnn.onnx", smallCnn({ inputShape: [1, 8, 8], classes: 2 }));
  await expect(loadModelFile(path, { data: image })).rejects.toThrow(
    "takes float32, but the samples of d are ids, which are fed as integers",
  );
  await expect(loadModel("lenet", { data: image })).rejects.toThrow('"lenet" does not take ids');
});
