import { expect, test } from "vitest";
import { glyphs } from "../../src/data/synthetic/glyphs.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { evaluateClassifier } from "../../src/nn/classification.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { trainQuantized } from "../../src/runs/train-quantized.ts";
import { alignChannels } from "../../src/sparsity/align.ts";
import { packModel, unpackModel } from "../../src/sparsity/encoding/packed-model.ts";
import { expectProblemLater } from "../data/support.ts";

/** Convolutions of 6 and 10 filters that the file fills up to 8 and 16; every third weight is zero. */
function filledUp() {
  const model = smallCnn({ inputShape: [1, 16, 16], classes: 10, batch: 50, seed: 1, widths: [6, 10, 20] });
  for (const { shape, data } of model.parameters.values())
    if (shape.length > 1) for (let i = 0; i < data.length; i += 3) data[i] = 0;
  return alignChannels(model, 8);
}

test("weights that a file fills up train quantised as it stores them, and the model given stays as it was", async () => {
  const data = glyphs({ train: 1000, test: 500 });
  const model = filledUp();
  const before = exportModel(model);
  const { model: trained, steps } = await trainQuantized(model, { bits: 4 }, data.train, data.scale, {
    epochs: 4,
    learningRate: 0.01,
    batch: 50,
    threads: 1,
  });
  expect(exportModel(model)).toEqual(before);
  const shapes = ({ parameters }: typeof model) => [...parameters].map(([name, t]) => [name, t.shape]);
  expect(shapes(trained)).toEqual(shapes(model));
  expect(trained.nodes.some((n) => n.op === "Pad")).toBe(true);
  // The control: without being told, an import fills them up.
  expect(shapes(importModel(before))).not.toEqual(shapes(model));
  for (const [name, { data: weights }] of trained.parameters) {
    const old = model.parameters.get(name)!.data;
    expect([...weights].every((w, i) => old[i] !== 0 || w === 0 || name.endsWith("bias"))).toBe(true);
    expect([...weights]).not.toEqual([...old]);
  }
  const packed = packModel(exportModel(trained), { steps });
  expect(packed.tensors.every(({ error }) => error === 0)).toBe(true);
  const accuracy = async (graph: typeof model) =>
    (await evaluateClassifier(graph, data.test, data.scale, { threads: 1 })).accuracy;
  const back = importModel(unpackModel(packed.bytes), { batch: 50 });
  expect(await accuracy(back)).toBe(await accuracy(trained));
  // Rounding alone, without training, leaves the fresh network at chance.
  const once = importModel(unpackModel(packModel(before, { bits: 4 }).bytes), { batch: 50 });
  expect(await accuracy(trained)).toBeGreaterThan((await accuracy(once)) + 0.2);
});

test("a batch that no epoch can fill is refused", async () => {
  const data = glyphs({ train: 60, test: 10 });
  const training = trainQuantized(filledUp(), { bits: 4 }, data.train, data.scale, { epochs: 1, batch: 61 });
  await expectProblemLater(
    training,
    /a batch of 61 is larger than the 60 training samples; choose a smaller/,
  );
});
