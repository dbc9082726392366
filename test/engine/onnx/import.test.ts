import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import type { Split } from "../../../src/data/dataset.ts";
import { loadDataset } from "../../../src/data/load.node.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { decodeTensor } from "../../../src/engine/onnx/proto.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { createSession } from "../../../src/engine/session.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { sizeOf } from "../../../src/engine/tensor.ts";
import { evaluateClassifier } from "../../../src/nn/classification.ts";
import { random } from "../../../src/random.ts";
import { SHARED_DATA } from "../../data/support.ts";

const models = join(SHARED_DATA, "models/onnx");
const present = existsSync(models);
if (!present) console.warn(`no ${models}: the tests with real ONNX files are skipped`);

function expectClose(found: Tensor, expected: Tensor, tolerance: number): void {
  expect(sizeOf(found.shape)).toBe(sizeOf(expected.shape));
  let scale = 0;
  let worst = 0;
  for (let i = 0; i < expected.data.length; i++) {
    scale = Math.max(scale, Math.abs(Number(expected.data[i])));
    worst = Math.max(worst, Math.abs(Number(found.data[i]) - Number(expected.data[i])));
  }
  expect(worst / scale).toBeLessThan(tolerance);
}

describe.skipIf(!present)("real files", () => {
  test("mnist_8 gives its three recorded outputs, as imported and after a round trip", async () => {
    const graph = importModel(readFileSync(join(models, "mnist_8/model.onnx")));
    const again = importModel(exportModel(graph));
    for (const g of [graph, again]) {
      const session = await createSession(g, { threads: 1 });
      for (const set of [0, 1, 2]) {
        const folder = join(models, `mnist_8/test_data_set_${set}`);
        const x = decodeTensor(readFileSync(join(folder, "input_0.pb"))).tensor;
        const y = decodeTensor(readFileSync(join(folder, "output_0.pb"))).tensor;
        const results = await session.run({ [g.inputs[0]]: x });
        expectClose(results[g.outputs[0]], y, 1e-5);
      }
      await session.release();
    }
    expect([...graph.parameters.values()].reduce((a, p) => a + p.data.length, 0)).toBe(
      8 * 25 + 8 + 16 * 8 * 25 + 16 + 256 * 10 + 10,
    );
  });

  test("a file with a fixed batch of 1 runs at another batch, row by row the same", async () => {
    const one = importModel(readFileSync(join(models, "mnist_8/model.onnx")));
    const three = rebatch(one, 3);
    const inputs = [0, 1, 2].map(
      (set) => decodeTensor(readFileSync(join(models, `mnist_8/test_data_set_${set}/input_0.pb`))).tensor,
    );
    const data = Float32Array.from(inputs.flatMap((t) => Array.from(t.data as Float32Array)));
    const session = await createSession(three, { threads: 1 });
    const rows = (
      await session.run({ [three.inputs[0]]: { dtype: "float32", shape: [3, 1, 28, 28], data } })
    )[three.outputs[0]];
    for (const set of [0, 1, 2]) {
      const y = decodeTensor(readFileSync(join(models, `mnist_8/test_data_set_${set}/output_0.pb`))).tensor;
      expectClose({ ...y, data: (rows.data as Float32Array).slice(10 * set, 10 * set + 10) }, y, 1e-5);
    }
    await session.release();
  });

  test("mnist_pytorch knows as many digits as the tool that made it, and as ONNX Runtime alone finds", async () => {
    const bytes = readFileSync(join(models, "mnist_pytorch.onnx"));
    const { test: digits } = await loadDataset("mnist", { dataDir: SHARED_DATA });
    const first = {
      inputs: { dtype: "uint8", shape: [1000, 784], data: digits.inputs.data.slice(0, 1000 * 784) } as const,
      labels: digits.labels.slice(0, 1000),
    } as Split;
    const unit = { mean: [0], std: [1] };
    const { accuracy, samples } = await evaluateClassifier(importModel(bytes), first, unit, { threads: 1 });
    expect(samples).toBe(1000);

    const session = await ort.InferenceSession.create(bytes);
    let hits = 0;
    for (let i = 0; i < 1000; i++) {
      const pixels = Float32Array.from(first.inputs.data.subarray(784 * i, 784 * (i + 1)), (v) => v / 255);
      const feeds = { [session.inputNames[0]]: new ort.Tensor("float32", pixels, [1, 784]) };
      const scores = Array.from((await session.run(feeds))[session.outputNames[0]].data as Float32Array);
      if (scores.indexOf(Math.max(...scores)) === first.labels[i]) hits++;
    }
    expect(accuracy).toBe(hits / 1000);
    // The README of the models says "about 91 %" of these digits.
    expect(Math.abs(accuracy - 0.91)).toBeLessThan(0.005);

    const inverted = { mean: [1], std: [-1] };
    const wrong = await evaluateClassifier(importModel(bytes), first, inverted, { threads: 1 });
    expect(wrong.accuracy).toBeLessThan(0.5);
  });

  test.each(present ? readdirSync(join(models, "light")).filter((f) => f.endsWith(".onnx")) : [])(
    "%s gives its recorded output",
    async (file) => {
      const graph = importModel(readFileSync(join(models, "light", file)));
      const expected = decodeTensor(
        readFileSync(join(models, "light", file.replace(".onnx", "_output_0.pb"))),
      ).tensor;
      const { shape } = graph.types.get(graph.inputs[0])!;
      // All weights are one number, so any input leads to the recorded output: this tests the graph, not the weights.
      const rng = random(1);
      const x: Tensor = {
        dtype: "float32",
        shape,
        data: Float32Array.from({ length: sizeOf(shape) }, () => rng.uniform()),
      };
      const session = await createSession(graph, { threads: 2 });
      const results = await session.run({ [graph.inputs[0]]: x });
      expectClose(results[graph.outputs[0]], expected, 1e-4);
      await session.release();
    },
  );
});
