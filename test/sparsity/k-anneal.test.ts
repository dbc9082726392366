import { describe, expect, test } from "vitest";
import type { Split } from "../../src/data/dataset.ts";
import { classification, classificationSource, evaluateClassifier } from "../../src/nn/classification.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import type { OptimizerSpec } from "../../src/nn/optimizers.ts";
import { train } from "../../src/nn/trainer.ts";
import { random } from "../../src/random.ts";
import { withinBudget } from "../../src/runs/budget.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { analyzeChannels, streamPartition } from "../../src/sparsity/channels.ts";
import type { GroupPenalty } from "../../src/sparsity/group-prox.ts";
import { findGroups } from "../../src/sparsity/groups/kinds.ts";
import { groupNorms } from "../../src/sparsity/groups.ts";
import type { KAnnealOptions } from "../../src/sparsity/k-anneal.ts";
import { createKAnneal } from "../../src/sparsity/k-anneal.ts";
import { shrinkZeros } from "../../src/sparsity/shrink-zeros.ts";

const scale = { mean: [0], std: [1] };

/** Two classes that a line cannot tell apart: inside and outside of a ring, in noise. */
function rings(samples: number, seed: number): Split {
  const rng = random(seed);
  const labels = Int32Array.from({ length: samples }, () => rng.integer(2));
  const data = new Float32Array(samples * 2);
  labels.forEach((c, i) => {
    const angle = 2 * Math.PI * rng.uniform();
    const radius = (c === 0 ? 0.6 : 1.6) + 0.15 * rng.normal();
    data[2 * i] = radius * Math.cos(angle);
    data[2 * i + 1] = radius * Math.sin(angle);
  });
  return { inputs: { dtype: "float32", shape: [samples, 2], data }, labels };
}

async function run(
  penalty: GroupPenalty,
  seed: number,
  options: Partial<KAnnealOptions> = {},
  keep = 6,
  optimizer: OptimizerSpec = { kind: "sgd", momentum: 0.9 },
) {
  const model = mlp({ inputShape: [2], classes: 2, hidden: [32], batch: 25, seed });
  const stream = analyzeChannels(model).streams.find((s) => s.name === "fc1")!;
  const partition = streamPartition(model, stream);
  const sparsifier = createKAnneal({
    layers: [{ name: "fc1", partition, keep }],
    penalty,
    lambdaEnd: 5,
    ...options,
  });
  const test = rings(400, seed + 100);
  await train(model, classification(), classificationSource(model, rings(500, seed), scale, { seed }), {
    epochs: 30,
    optimizer,
    learningRate: optimizer.kind === "adam" ? 0.01 : 0.1,
    schedule: { kind: "cosine", flat: 0.65 },
    sparsifier,
    threads: 1,
    evaluate: async () => ({
      accuracy: (await evaluateClassifier(model, test, scale, { threads: 1 })).accuracy,
    }),
  });
  const norms = groupNorms(
    partition,
    Object.fromEntries([...model.parameters].map(([name, t]) => [name, t.data])),
  );
  const { accuracy } = await evaluateClassifier(model, test, scale, { threads: 1 });
  const shrunk = shrinkZeros(model).graph;
  return {
    outcome: sparsifier.outcomes()[0],
    commit: sparsifier.commit(),
    live: norms.filter((n) => n !== 0).length,
    accuracy,
    shrunk,
  };
}

describe.each([0, 1, 2])("seed %i", (seed) => {
  test.each(["wgsef", "wgsef-plain"] as const)(
    "%s leaves exactly k neurons, by training alone, and they suffice",
    async (penalty) => {
      const { outcome, live, accuracy, shrunk } = await run(penalty, seed);
      expect(outcome).toMatchObject({ keep: 6, natural: 6, forced: 0 });
      expect(live).toBe(6);
      expect(accuracy).toBeGreaterThan(0.95);
      expect(shrunk.parameters.get("fc1.weight")!.shape).toEqual([6, 2]);
    },
  );

  test("with block Adam the count is exact as well", async () => {
    const { live, outcome } = await run("wgsef", seed, { lambdaEnd: 3 }, 6, { kind: "adam" });
    expect(live).toBe(6);
    expect(outcome.natural - outcome.forced).toBe(6);
  });

  test("control: without a penalty nothing dies by itself, the cut is forced and says what it cost", async () => {
    const { outcome, commit, live } = await run("none", seed);
    expect(outcome).toMatchObject({ natural: 32, forced: 26 });
    expect(live).toBe(6);
    expect(commit!.after.accuracy).toBeLessThan(commit!.before.accuracy - 0.02);
  });

  test("control: group lasso knows nothing of k and goes past it", async () => {
    const { outcome } = await run("group-lasso", seed, { lambdaStart: 0.001, lambdaEnd: 0.1 });
    expect(outcome.forced === 0 && outcome.natural === 6).toBe(false);
  });
});

test("two neurons are too few for a ring: the budget is met, the accuracy is not", async () => {
  const { live, accuracy } = await run("wgsef", 0, {}, 2);
  expect(live).toBe(2);
  expect(accuracy).toBeLessThan(0.95);
});

test("an impossible number of groups is refused", () => {
  const partition = { groups: 4, parts: [] };
  for (const keep of [0, 5, 2.5])
    expect(() => createKAnneal({ layers: [{ name: "conv1", partition, keep }] })).toThrow(
      /"conv1" has 4 groups; cannot keep/,
    );
});

test.each<[string, Partial<KAnnealOptions>, OptimizerSpec, RegExp]>([
  [
    "selection that never ends",
    { warmup: 0.6, select: 0.6 },
    { kind: "sgd" },
    /end after epoch 36, .* has 30/,
  ],
  [
    "an optimiser without a proximal step",
    {},
    { kind: "rmsprop" },
    /not for rmsprop; adam with betas: \[0, 0\.99\]/,
  ],
  [
    "half-space steps with Adam",
    { steps: "half-space" },
    { kind: "adam" },
    /half-space steps need plain SGD/,
  ],
  [
    "weights in two groups",
    {
      layers: ["a", "b"].map((name) => ({
        name,
        keep: 2,
        partition: { groups: 4, parts: [{ parameter: "fc1.weight", outer: 1, channels: 4, inner: 4 }] },
      })),
    },
    { kind: "sgd" },
    /"b" and "a" both have weight 0 of "fc1\.weight"/,
  ],
  [
    "groups of another model",
    {
      layers: [
        {
          name: "a",
          keep: 1,
          partition: { groups: 4, parts: [{ parameter: "fc9", outer: 1, channels: 4, inner: 4 }] },
        },
      ],
    },
    { kind: "sgd" },
    /groups of "a": the model has no parameter "fc9"/,
  ],
])("%s: refused before the first step", async (_, options, optimizer, message) => {
  await expect(run("wgsef", 0, options, 6, optimizer)).rejects.toThrow(message);
});

test("a sparsifier serves one training", async () => {
  const model = mlp({ inputShape: [2], classes: 2, hidden: [32], batch: 25, seed: 0 });
  const layers = [withinBudget(model, findGroups(model, "filter"), "parameters=0.5")];
  const sparsifier = createKAnneal({ layers, warmup: 0, select: 1 });
  const source = classificationSource(model, rings(100, 0), scale, { seed: 0 });
  const once = () =>
    train(model, classification(), source, {
      ...{ epochs: 2, optimizer: { kind: "sgd" }, learningRate: 0.01, threads: 1 },
      sparsifier,
    });
  await once();
  const all = accountModel(model).total.parameters;
  expect(accountModel(shrinkZeros(model).graph).total.parameters).toBeLessThanOrEqual(all / 2);
  await expect(once()).rejects.toThrow(/has already trained a model; create another one/);
});

test("channels that must stay are no groups", () => {
  const model = mlp({ inputShape: [2], classes: 2, hidden: [32] });
  const last = analyzeChannels(model).streams.find((s) => s.name === "fc2")!;
  expect(() => streamPartition(model, last)).toThrow(/channels of "fc2" cannot be removed: /);
});
