import { expect, test } from "vitest";
import { tensor } from "../../../src/engine/tensor.ts";
import { createOptimizer } from "../../../src/nn/optimizers.ts";
import { createTrainingStep } from "../../../src/nn/training-step.ts";
import { exactCrossEntropy } from "../../../src/sparsity/tickets/exact-cross-entropy.ts";
import { holdMasks } from "../../../src/sparsity/tickets/hold-masks.ts";
import { MLP_LAYERS, modularMlp } from "../../../src/sparsity/tickets/modular-mlp.ts";
import { modularTransformer } from "../../../src/sparsity/tickets/modular-transformer.ts";
import { exactly, feedsOf, masksFrom, ruled, tinyMlp, useRule, vectors, worst } from "./vectors.ts";

const { tinyMlp: mlp, tinyTransformer, adamw } = { ...vectors, adamw: vectors.tinyMlp.adamw };
/** The mean over six samples multiplies by ⅙, a constant in single precision: 3e-8 off in every gradient. */
const SIXTH = 3.1e-8;
const byRule = (sizes: Record<string, number>) =>
  Object.fromEntries(Object.entries(sizes).map(([name, n], i) => [name, ruled(n, i)]));
const mlpWeights = byRule({ embed: 20, inproj: 12, outproj: 12, unembed: 20 });

test("the MLP's logits, loss and gradients are those of the vectors", () => {
  const { model, feeds } = tinyMlp();
  const found = exactly(model, feeds, mlpWeights);
  expect(worst(found.logits, mlp.dense.logits.flat())).toBeLessThan(1e-9);
  expect(found.loss).toBeCloseTo(mlp.dense.loss, 10);
  MLP_LAYERS.forEach((name, i) =>
    expect(worst(found.gradients[name], mlp.dense.grads[i].flat())).toBeLessThan(SIXTH),
  );
});

test("a transposed weight is caught", () => {
  const { model, feeds } = tinyMlp();
  const turned = mlpWeights.inproj.map((_, i) => mlpWeights.inproj[(i % 4) * 3 + Math.floor(i / 4)]);
  expect(
    worst(exactly(model, feeds, { ...mlpWeights, inproj: turned }).logits, mlp.dense.logits.flat()),
  ).toBeGreaterThan(0.1);
});

test("with masks: logits and loss, and the gradients of the weights that live", () => {
  const { model, feeds } = tinyMlp();
  const masks = masksFrom(mlp.masks);
  const masked = Object.fromEntries(
    MLP_LAYERS.map((n) => [n, mlpWeights[n].map((w, i) => w * masks.get(n)![i])]),
  );
  const found = exactly(model, feeds, masked);
  expect(worst(found.logits, mlp.masked.logits.flat())).toBeLessThan(1e-9);
  expect(found.loss).toBeCloseTo(mlp.masked.loss, 10);
  MLP_LAYERS.forEach((name, i) => {
    const live = found.gradients[name].map((g, j) => g * masks.get(name)![j]);
    expect(worst(live, mlp.masked.gradsWrtRawWeights[i].flat())).toBeLessThan(SIXTH);
  });
});

test("three masked steps of AdamW on ONNX Runtime; dead weights and their moments stay zero", async () => {
  const { model, feeds } = tinyMlp();
  const masks = masksFrom(mlp.masks);
  const step = await createTrainingStep(model, exactCrossEntropy(), { threads: 1 });
  const sparsifier = holdMasks(masks);
  const target = { ...step, weightDecay: () => adamw.weightDecay };
  const spec = { kind: "adamw", betas: [adamw.beta1, adamw.beta2], epsilon: adamw.eps } as const;
  const optimizer = sparsifier.createOptimizer!(target, () => createOptimizer(spec, target), spec);
  const moment = { ...step, optimizer, learningRate: adamw.lr, epoch: 0, epochs: 1, step: 0 };
  for (const expected of adamw.losses) {
    expect((await step.run(feeds)).loss).toBeCloseTo(expected, 6);
    await sparsifier.beforeStep!(moment, async () => {});
    optimizer.step(adamw.lr);
  }
  await step.release();
  MLP_LAYERS.forEach((name, i) => {
    const live = adamw.weights[i].flat().map((w: number, j: number) => w * masks.get(name)![j]);
    expect(worst(step.parameters.arrays[name], live)).toBeLessThan(2e-6);
    for (const { arrays } of Object.values(optimizer.state))
      arrays[name].forEach((v, j) => masks.get(name)![j] || expect(v).toBe(0));
  });
});

test("the transformer's logits, loss and gradients are those of the vectors", () => {
  const model = modularTransformer({ vocabulary: 5, classes: 5, width: 4, hidden: 3, batch: 6 });
  const sizes = {
    embed: 20,
    key: 16,
    query: 16,
    value: 16,
    out: 16,
    "mlp.in": 12,
    "mlp.out": 12,
    unembed: 20,
  };
  const found = exactly(model, feedsOf(mlp.train, model), byRule(sizes));
  expect(worst(found.logits, tinyTransformer.logits.flat())).toBeLessThan(1e-9);
  expect(found.loss).toBeCloseTo(tinyTransformer.loss, 10);
  const letters = {
    E: "embed",
    K: "key",
    Q: "query",
    V: "value",
    O: "out",
    In: "mlp.in",
    Out: "mlp.out",
    U: "unembed",
  };
  for (const [letter, name] of Object.entries(letters))
    expect(worst(found.gradients[name], tinyTransformer.grads[letter].flat())).toBeLessThan(SIXTH);
});

test("more heads and more blocks matter, and which of two tokens is read", () => {
  const logits = (options: object, swap = false) => {
    const model = modularTransformer({
      vocabulary: 5,
      classes: 5,
      width: 4,
      hidden: 3,
      batch: 6,
      ...options,
    });
    useRule(model);
    const feeds = feedsOf(mlp.train, model);
    const { shape, data } = feeds.tokens;
    const exchanged = Int32Array.from({ length: data.length }, (_, i) => Number(data[swap ? i ^ 1 : i]));
    feeds.tokens = tensor("int32", shape, exchanged);
    return exactly(
      model,
      feeds,
      Object.fromEntries([...model.parameters].map(([n, t]) => [n, Float64Array.from(t.data)])),
    ).logits.join();
  };
  const all = [logits({}), logits({}, true), logits({ heads: 2 }), logits({ blocks: 2 })];
  expect(new Set(all).size).toBe(4);
});

test("initial weights have the spec's standard deviations", () => {
  const model = modularMlp({ vocabulary: 67, classes: 67, seed: 5 });
  const std = { embed: 67, inproj: 500, outproj: 48, unembed: 500 };
  for (const [name, fanIn] of Object.entries(std)) {
    const { data } = model.parameters.get(name)!;
    const found = Math.sqrt(data.reduce((a, v) => a + v * v, 0) / data.length);
    expect(found * Math.sqrt(fanIn)).toBeGreaterThan(0.97);
    expect(found * Math.sqrt(fanIn)).toBeLessThan(1.03);
  }
});
