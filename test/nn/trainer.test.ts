import { expect, test } from "vitest";
import type { Split } from "../../src/data/dataset.ts";
import { reduceMax } from "../../src/engine/operators/index.ts";
import { classification, classificationSource, evaluateClassifier } from "../../src/nn/classification.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { vgg } from "../../src/nn/models/vgg.ts";
import type { TrainingSnapshot, TrainOptions } from "../../src/nn/trainer.ts";
import { train } from "../../src/nn/trainer.ts";
import type { Objective } from "../../src/nn/training-step.ts";
import { Problem } from "../../src/problem.ts";
import { random } from "../../src/random.ts";

const scale = { mean: [0], std: [1] };

/** Three Gaussian clouds in the plane, told apart by their centres. */
function clouds(samples: number, seed: number): Split {
  const rng = random(seed);
  const labels = Int32Array.from({ length: samples }, () => rng.integer(3));
  const data = new Float32Array(samples * 2);
  labels.forEach((c, i) => {
    data[2 * i] = 2 * Math.cos((2 * Math.PI * c) / 3) + 0.4 * rng.normal();
    data[2 * i + 1] = 2 * Math.sin((2 * Math.PI * c) / 3) + 0.4 * rng.normal();
  });
  return { inputs: { dtype: "float32", shape: [samples, 2], data }, labels };
}

/** Bright left half against bright right half, in noise. */
function halves(samples: number, seed: number): Split {
  const rng = random(seed);
  const labels = Int32Array.from({ length: samples }, () => rng.integer(2));
  const data = new Float32Array(samples * 64);
  labels.forEach((c, i) => {
    for (let p = 0; p < 64; p++) data[i * 64 + p] = rng.normal() * 0.5 + (p % 8 < 4 === (c === 0) ? 1 : 0);
  });
  return { inputs: { dtype: "float32", shape: [samples, 1, 8, 8], data }, labels };
}

const base: TrainOptions = {
  epochs: 4,
  optimizer: { kind: "sgd", momentum: 0.9 },
  learningRate: 0.05,
  weightDecay: 1e-4,
  threads: 1,
};

test.each([
  { kind: "sgd", momentum: 0.9 },
  { kind: "sgd", momentum: 0.9, nesterov: true },
  { kind: "adam" },
  { kind: "adamw" },
  { kind: "rmsprop" },
] as const)("$kind learns three clouds to 98 %", async (optimizer) => {
  const [training, testing] = [clouds(600, 1), clouds(300, 2)];
  const model = mlp({ inputShape: [2], classes: 3, hidden: [16], batch: 20, seed: 1 });
  const untrained = await evaluateClassifier(model, testing, scale, { threads: 1 });
  const { history } = await train(
    model,
    classification(),
    classificationSource(model, training, scale, { seed: 1 }),
    { ...base, optimizer, learningRate: optimizer.kind === "sgd" ? 0.05 : 0.01 },
  );
  const trained = await evaluateClassifier(model, testing, scale, { threads: 1 });
  expect(history).toHaveLength(4);
  expect(trained.accuracy).toBeGreaterThan(0.98);
  expect(untrained.accuracy).toBeLessThan(0.9);
});

const network = () =>
  vgg({ inputShape: [1, 8, 8], classes: 2, batch: 16, seed: 3, layout: [4, "pool", 6], batchNorm: true });

test("batch norm trains by batch statistics and evaluates by running ones", async () => {
  const model = network();
  await train(
    model,
    classification({ labelSmoothing: 0.1 }),
    classificationSource(model, halves(320, 1), scale, { seed: 1 }),
    base,
  );
  const { accuracy } = await evaluateClassifier(model, halves(200, 2), scale, { threads: 1 });
  expect(accuracy).toBeGreaterThan(0.98);
  expect(model.constants.get("bn1.running_var")!.data[0]).not.toBe(1);
});

test("resuming from a snapshot in the middle of an epoch gives the same bits", async () => {
  const run = async (options: Partial<TrainOptions>) => {
    const model = network();
    const source = classificationSource(model, halves(320, 1), scale, { seed: 1 });
    await train(model, classification(), source, {
      ...base,
      schedule: { kind: "cosine" },
      clipNorm: 1,
      ...options,
    });
    return [...model.parameters, ...model.constants].map(([name, t]) => [
      name,
      Array.from(t.data as Float32Array),
    ]);
  };
  let middle: TrainingSnapshot | undefined;
  const whole = await run({
    saveEvery: 7,
    save: async (snapshot) => {
      const now = snapshot();
      if (now.progress.step === 49) middle = structuredClone(now);
    },
  });
  expect(middle!.progress.stepInEpoch).toBeGreaterThan(0);
  expect(await run({ resume: middle })).toEqual(whole);
  const disturbed = structuredClone(middle!);
  (disturbed.tensors["momentum/conv1.weight"].data as Float32Array)[0] += 1e-3;
  expect(await run({ resume: disturbed })).not.toEqual(whole);
});

test("training stops early where it is told to, and going on from its last snapshot takes no further step", async () => {
  const run = async (options: Partial<TrainOptions>) => {
    const model = network();
    const source = classificationSource(model, halves(320, 1), scale, { seed: 1 });
    const steps: number[] = [];
    let last: TrainingSnapshot | undefined;
    const { history, finished } = await train(model, classification(), source, {
      ...base,
      evaluate: async () => ({ accuracy: 0.5 }),
      // No better than the epoch before: patience of one.
      stopWhen: (h) => h.length > 1 && h.at(-1)!.metrics.accuracy <= h.at(-2)!.metrics.accuracy,
      onStep: ({ step }) => steps.push(step),
      save: async (snapshot) => {
        last = structuredClone(snapshot());
      },
      ...options,
    });
    return { epochs: history.length, finished, steps: steps.length, last };
  };
  const stopped = await run({});
  expect(stopped).toMatchObject({ epochs: 2, finished: true, steps: 40 });
  expect(await run({ resume: stopped.last })).toMatchObject({ epochs: 2, finished: true, steps: 0 });
  // Control: without the condition there is more to do.
  expect(await run({ resume: stopped.last, stopWhen: undefined })).toMatchObject({ epochs: 4, steps: 40 });
});

test("a diverging run stops and names the step and the layer", async () => {
  const broken = async (parameter: string, value: number) => {
    const model = network();
    model.parameters.get(parameter)!.data.fill(value);
    const source = classificationSource(model, halves(320, 1), scale, { seed: 1 });
    return await train(model, classification(), source, base).then(
      () => undefined,
      (error) => error,
    );
  };
  const message = async (parameter: string, value: number) => {
    const error = await broken(parameter, value);
    expect(error).toBeInstanceOf(Problem);
    return (error as Problem).message;
  };
  // The second convolution overflows; the first computes what it always does.
  expect(await message("conv2.weight", 3e38)).toMatch(
    /^the loss became (NaN|-?Infinity) at step 1 \(epoch 1\); .* is in layer "conv2/,
  );
  expect(await message("conv1.weight", 3e38)).toMatch(
    / is in layer "conv1.*; lower the learning rate or clip/,
  );
  expect(await message("conv1.weight", Number.NaN)).toMatch(
    / is in parameter "conv1\.weight", so the step before was already too large/,
  );
});

test("data that are not finite are named", async () => {
  const model = network();
  const bad = halves(320, 1);
  (bad.inputs.data as Float32Array)[5] = Number.POSITIVE_INFINITY;
  const source = classificationSource(model, bad, scale, { seed: 1 });
  await expect(train(model, classification(), source, base)).rejects.toThrow(/is in the data fed as "input"/);
  const hint = train(model, classification(), source, base);
  await expect(hint).rejects.toThrow(/fed as "input"; look at the samples, and at the mean and deviation/);
  await expect(hint).rejects.not.toThrow(/learning rate/);
});

test.each([undefined, Number.NaN, -0.1, Number.POSITIVE_INFINITY, "0.1" as unknown as number])(
  "a learning rate of %s is refused at the start",
  async (learningRate) => {
    const options = { ...base, learningRate: learningRate as number };
    const source = classificationSource(network(), halves(32, 1), scale, { seed: 1 });
    const found = train(network(), classification(), source, options);
    await expect(found).rejects.toThrow(`the learning rate is ${learningRate}; give a number above 0`);
    await expect(found).rejects.toThrow(Problem);
  },
);

test("a metric that is not a single number is refused by name", async () => {
  const source = classificationSource(network(), halves(32, 1), scale, { seed: 1 });
  const vector: Objective = (outputs, graph) => ({
    ...classification()(outputs, graph),
    metrics: { top: reduceMax(outputs[0], [1]) },
  });
  await expect(train(network(), vector, source, base)).rejects.toThrow(
    /^metric "top" has shape \[16\]; it must be a single number/,
  );
});

test("an abort stops before the next step and says so", async () => {
  const model = network();
  const controller = new AbortController();
  const { finished, history } = await train(
    model,
    classification(),
    classificationSource(model, halves(320, 1), scale, { seed: 1 }),
    {
      ...base,
      signal: controller.signal,
      onStep: ({ step }) => step === 25 && controller.abort(),
    },
  );
  expect(finished).toBe(false);
  expect(history).toHaveLength(1);
});

test("hooks that return a promise are waited for, and what they throw ends training", async () => {
  const model = mlp({ inputShape: [2], classes: 3, hidden: [4], batch: 20, seed: 1 });
  const source = classificationSource(model, clouds(60, 1), scale, { seed: 1 });
  const heard: string[] = [];
  const later = async (name: string) => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    heard.push(name);
  };
  await train(model, classification(), source, {
    ...base,
    epochs: 1,
    sparsifier: { name: "slow", afterStep: () => later("after") },
    onStep: () => later("step"),
  });
  expect(heard).toEqual(["after", "step", "after", "step", "after", "step"]);
  const fails = async () => {
    throw new Error("no");
  };
  await expect(
    train(model, classification(), source, { ...base, sparsifier: { name: "bad", afterStep: fails } }),
  ).rejects.toThrow("no");
});

test("what cannot be trained is refused: epochs, steps an epoch, labels", async () => {
  const model = mlp({ inputShape: [2], classes: 3, hidden: [4], batch: 20, seed: 1 });
  const data = clouds(60, 1);
  const source = classificationSource(model, data, scale, { seed: 1 });
  const run = (change: Partial<TrainOptions>, from = source) =>
    train(model, classification(), from, { ...base, ...change });
  for (const epochs of [-1, 1.5, Number.NaN])
    await expect(run({ epochs })).rejects.toThrow(/cannot train for .* epochs: give a whole number/);
  const few = classificationSource(model, clouds(10, 1), scale, { seed: 1 });
  await expect(run({}, few)).rejects.toThrow(/has 0 steps an epoch: .* as many samples as the model's batch/);
  await expect(run({}, { ...source, stepsPerEpoch: 2 })).rejects.toThrow(
    /gave more than the 2 batches of epoch 1/,
  );
  await expect(run({}, { ...source, stepsPerEpoch: 4 })).rejects.toThrow(
    /gave 3 of the 4 batches of epoch 1/,
  );
  const wrong = { ...data, labels: data.labels.map((c, i) => (i === 7 ? 3 : c)) };
  expect(() => classificationSource(model, wrong, scale, { seed: 1 })).toThrow(
    /label 7 is 3; the model tells 3 classes apart/,
  );
  const short = { ...data, labels: data.labels.subarray(1) };
  await expect(evaluateClassifier(model, short, scale)).rejects.toThrow(/60 inputs but 59 labels/);
  const more = { ...clouds(60, 1), others: [clouds(60, 1).inputs] };
  await expect(evaluateClassifier(model, more, scale)).rejects.toThrow(
    "the samples have 2 inputs, but the model takes 1: ",
  );
});

test("what is not trainable stays as it is, bit by bit, and learning goes on in the rest", async () => {
  const model = vgg({
    inputShape: [1, 8, 8],
    classes: 2,
    batch: 20,
    seed: 1,
    layout: [8, "pool"],
    batchNorm: true,
  });
  const before = new Map([...model.parameters].map(([name, t]) => [name, t.data.slice()]));
  const source = classificationSource(model, halves(200, 1), scale, { seed: 1 });
  const trainable = (name: string) => name.startsWith("fc");
  const { history } = await train(model, classification(), source, { ...base, trainable });
  for (const [name, { data }] of model.parameters)
    expect([name, trainable(name) !== data.every((w, i) => w === before.get(name)![i])]).toEqual([
      name,
      true,
    ]);
  expect(history.at(-1)!.loss).toBeLessThan(history[0].loss);
  await expect(train(model, classification(), source, { ...base, trainable: () => false })).rejects.toThrow(
    /no parameter is trainable/,
  );
});
