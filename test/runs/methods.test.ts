import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { importModel } from "../../src/engine/onnx/import.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import type { MethodName } from "../../src/runs/methods.ts";
import { METHOD_NAMES, methodOf } from "../../src/runs/methods.ts";
import type { Recipe } from "../../src/runs/recipe.ts";
import { readMetrics } from "../../src/runs/run-directory.node.ts";
import { createRunSparsifier } from "../../src/runs/run-sparsifier.ts";
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

/** Methods that decide by a count meet it; penalties that know none stop anywhere from there down. */
const COUNTING: readonly MethodName[] = METHOD_NAMES.filter((name) => {
  const { penalty } = methodOf(name).options;
  return !["group-lasso", "sparse-group-lasso", "l1"].includes(penalty!);
});

describe.each(METHOD_NAMES)("%s", (method) => {
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
  expect(() => createRunSparsifier(graph, recipe)).toThrow(
    /no batch norm scales the channels of "fc1".*group-lasso/,
  );
});

test.each([
  ["half-space steps with Adam", "method: hspg", { optimizer: { kind: "adam" } as never }, /need plain SGD/],
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
