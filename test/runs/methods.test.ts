import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { importModel } from "../../src/engine/onnx/import.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { vgg } from "../../src/nn/models/vgg.ts";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import type { MethodName } from "../../src/runs/methods.ts";
import { METHOD_NAMES, methodOf } from "../../src/runs/methods.ts";
import type { Recipe } from "../../src/runs/recipe.ts";
import { readMetrics } from "../../src/runs/run-directory.node.ts";
import { startRun } from "../../src/runs/run-sparsifier.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { createRegularizer } from "../../src/sparsity/regularizer.ts";
import { recipeOf, temporaryFolder, writeTask } from "./support.ts";

/** Two batch-normalised layers of 8 channels, to be 5 and 3. */
const KEEP = { conv1: 5, conv2: 3 };

function task(sparsifier: string, change: Partial<Recipe> = {}) {
  const folder = temporaryFolder();
  const text = writeTask(folder, { epochs: 6, train: 100 });
  const recipe = {
    ...recipeOf(
      text.replace(/sparsifier: .*/, `sparsifier: { keep: { conv1: 5, conv2: 3 }, ${sparsifier} }`),
    ),
    ...change,
  };
  const run = (name: string, options = {}) => executeRun(recipe, join(folder, name), options);
  return { folder, recipe, run, path: (name: string) => join(folder, name) };
}

const widths = (path: string) => {
  const model = importModel(readFileSync(join(path, "model.onnx")));
  return Object.fromEntries(
    Object.keys(KEEP).map((name) => [name, model.parameters.get(`${name}.weight`)!.shape[0]]),
  );
};

const CHOOSING = METHOD_NAMES.filter((name) => !methodOf(name).reference);

/** Methods that decide by a count meet it; penalties that know none stop anywhere from there down. */
const COUNTING: readonly MethodName[] = CHOOSING.filter((name) => {
  const { penalty } = methodOf(name).options;
  return !["group-lasso", "sparse-group-lasso", "l1"].includes(penalty!);
});

describe.each(CHOOSING)("%s", (method) => {
  test("meets the count, says how, and what is zero is gone from the file", async () => {
    const { run, path } = task(`method: ${method}`);
    const { sparsity, metrics } = await run("a");
    const kept = Object.fromEntries(sparsity!.layers.map((l) => [l.name, l.natural - l.forced]));
    expect(widths(path("a"))).toEqual(kept);
    for (const [name, k] of Object.entries(KEEP)) {
      if (COUNTING.includes(method)) expect(kept[name]).toBe(k);
      else expect(kept[name]).toBeLessThanOrEqual(k);
      expect(metrics[`groups/${name}`]).toBe(kept[name]);
    }
    const cutByHand = ["magnitude", "gradual", "taylor", "hessian", "random"].includes(method);
    if (cutByHand) expect(sparsity!.layers.map((l) => l.natural)).toEqual([8, 8]);
    if (method === "l0") expect(sparsity!.layers.map((l) => l.forced)).toEqual([0, 0]);
    expect(sparsity!.commit).not.toBeNull();
  });
});

describe("what methods are compared with", () => {
  const startOf = (sparsifier: string, folder = temporaryFolder()) => {
    const recipe = recipeOf(writeTask(folder).replace(/sparsifier: .*/, `sparsifier: { ${sparsifier} }`));
    const original = importModel(readFileSync(recipe.model));
    return { original, ...startRun(original, recipe) };
  };

  test("dense cuts nothing, whatever is asked for, and learns", async () => {
    const { run, path } = task("method: dense");
    const { sparsity, metrics } = await run("a");
    expect(widths(path("a"))).toEqual({ conv1: 8, conv2: 8 });
    expect(sparsity!.layers.map((l) => l.forced)).toEqual([0, 0]);
    // Of two classes; 60 test images.
    expect(metrics.accuracy).toBeGreaterThan(0.65);
  });

  test("scratch has the shape from the start and nothing of the model's weights", async () => {
    const { run, path } = task("method: scratch");
    const { sparsity, metrics } = await run("a");
    expect(widths(path("a"))).toEqual(KEEP);
    expect(sparsity!.layers.map(({ name, natural, forced }) => ({ name, natural, forced }))).toEqual(
      Object.entries(KEEP).map(([name, natural]) => ({ name, natural, forced: 0 })),
    );
    // Of two classes; 60 test images.
    expect(metrics.accuracy).toBeGreaterThan(0.65);
    expect(readFileSync(join(path("a"), "trained.onnx"))).toEqual(
      readFileSync(join(path("a"), "model.onnx")),
    );

    const { original, graph } = startOf("method: scratch, keep: { conv1: 5, conv2: 3 }");
    const weights = graph.parameters.get("conv2.weight")!;
    expect(weights.shape).toEqual([3, 5, 3, 3]);
    // Uniform in ±1/√(5·9), the fan-in of the small shape and not of the model.
    const largest = Math.max(...(weights.data as Float32Array).map(Math.abs));
    expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(45));
    expect(largest).toBeGreaterThan(0.95 / Math.sqrt(45));
    expect(original.parameters.get("conv2.weight")!.shape).toEqual([8, 8, 3, 3]);
  });

  test("scratch within a budget has the widths that the model's norms make of it", () => {
    const { original, graph } = startOf("method: scratch, budget: macs=0.4");
    const share = accountModel(graph).total.macs / accountModel(original).total.macs;
    expect(share).toBeLessThanOrEqual(0.4);
    expect(share).toBeGreaterThan(0.3);
  });

  test("scratch is refused for groups that are no channels", () => {
    expect(() => startOf("method: scratch, keep: 0.5, groups: kernel")).toThrow(
      /fewer channels.*choose filter/,
    );
  });
});

test("gradual cuts follow the cubic schedule, epoch by epoch", async () => {
  const { run, path } = task("method: gradual, warmup: 0.17, select: 0.67");
  await run("a");
  const lines = await readMetrics(path("a"));
  // One epoch of warm-up, then k + (8 − k)(1 − t)³ for t = ¼, ½, ¾, 1.
  const wanted = (k: number) => [
    8,
    ...[0.25, 0.5, 0.75, 1].map((t) => k + Math.round((8 - k) * (1 - t) ** 3)),
    k,
  ];
  for (const [name, k] of Object.entries(KEEP))
    expect(lines.map((l) => l.metrics[`groups/${name}`])).toEqual(wanted(k));
});

test("slimming goes by the batch-norm scales alone", async () => {
  const { run, path } = task(
    "method: slimming, lambdaStart: 1e-6, lambdaEnd: 1e-6, select: 0.8, warmup: 0.17",
    {
      epochs: 2,
    },
  );
  // Nothing dies of such a λ: who stays is decided at the cut, right after the last epoch.
  await run("a");
  const trained = importModel(readFileSync(join(path("a"), "trained.onnx")));
  const scales = [...(trained.parameters.get("bn1.weight")!.data as Float32Array)];
  expect(scales.filter((s) => s !== 0)).toHaveLength(5);
});

test("slimming is refused where a layer has no batch norm", () => {
  const graph = mlp({ inputShape: [4], classes: 2, hidden: [8] });
  const recipe = recipeOf("model: mlp\ndata: x\nsparsifier: { method: slimming, keep: { fc1: 5 } }");
  expect(() => startRun(graph, recipe)).toThrow(/no batch norm scales the channels of "fc1".*group-lasso/);
});

test("slimming within a budget leaves alone what has no batch norm", () => {
  const graph = vgg({
    inputShape: [3, 16, 16],
    classes: 4,
    layout: [8, "pool", 12, "pool"],
    hidden: [10],
    batchNorm: true,
  });
  const startOf = (method: string) =>
    startRun(graph, recipeOf(`model: vgg\ndata: x\nsparsifier: { method: ${method}, budget: macs=0.5 }`));
  const [network] = startOf("slimming").method!.layers;
  expect(network.partition.groups).toBe(8 + 12);
  const norms = createRegularizer("l1", network.partition, network.gates).norms(
    Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data])),
  );
  expect([...norms]).toEqual(new Array(20).fill(1));
  expect(startOf("magnitude").method!.layers[0].partition.groups).toBe(8 + 12 + 10);
});

test.each([
  [
    "half-space steps with Adam",
    "method: hspg",
    { optimizer: { kind: "adam" } as never },
    /need plain SGD, not Adam: --optimizer sgd, in a recipe optimizer: sgd/,
  ],
  [
    "the metric of weights with group lasso",
    "method: group-lasso, metric: weight",
    { optimizer: { kind: "adam" } as never },
    /use the block metric, or wgsef/,
  ],
])("%s are refused with what works instead", async (_, sparsifier, change, message) => {
  await expect(task(sparsifier, change).run("a")).rejects.toThrow(message);
});

test("a fixed λ cuts nothing and reports what it left", async () => {
  const { run } = task("method: wgsef-plain, mode: { kind: fixed, lambda: 0.01 }");
  const { sparsity, epochs } = await run("a");
  expect(epochs).toBe(6);
  expect(sparsity!.commit).toBeNull();
  for (const l of sparsity!.layers) expect(l).toMatchObject({ natural: 8, forced: 0, lambda: 0.01 });
});

describe("interrupted in the middle of an epoch, it goes on to the same bytes and metrics", () => {
  const withoutTime = (lines: Awaited<ReturnType<typeof readMetrics>>) =>
    lines.map(({ seconds: _, ...line }) => line);
  const cases: [string, string, Partial<Recipe>][] = [
    ["variance-reduced half-space steps", "method: adahspg", {}],
    ["SVRG with the envelope", "method: wgsef, varianceReduction: true", {}],
    ["a saliency", "method: taylor", {}],
    ["a gradual cut", "method: gradual", {}],
    [
      "the metric of weights",
      "method: wgsef, metric: weight",
      { optimizer: { kind: "adam", betas: [0.9, 0.999], epsilon: 1e-8 }, learningRate: 0.01 },
    ],
  ];
  test.each(cases)("%s", async (_, sparsifier, change) => {
    const { run, path } = task(sparsifier, { epochs: 4, ...change });
    await run("whole");
    // In the middle of an epoch of selection, and after the last step of one.
    for (const last of [8, 10]) {
      const controller = new AbortController();
      const onStep = ({ step }: { step: number }) => step === last && controller.abort();
      await run(`stopped-${last}`, { signal: controller.signal, onStep });
      await run(`stopped-${last}`, { resume: true });
      const [a, b] = ["whole", `stopped-${last}`].map((name) => readFileSync(join(path(name), "model.onnx")));
      expect(b.equals(a)).toBe(true);
      expect(withoutTime(await readMetrics(path(`stopped-${last}`)))).toEqual(
        withoutTime(await readMetrics(path("whole"))),
      );
    }
  });
});

test("an unknown method is refused with the nearest one", () => {
  expect(() => task("method: wgsf")).toThrow(/did you mean "wgsef"\?/);
  expect(() => task("method: magnitud")).toThrow(/did you mean "magnitude"\?/);
});
