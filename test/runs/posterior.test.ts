import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadDataset } from "../../src/data/load.node.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { loadCheckpoint } from "../../src/runs/checkpoint.node.ts";
import { evaluateFile } from "../../src/runs/evaluate-file.node.ts";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import { scaleFor } from "../../src/runs/input-scale.ts";
import { loadPosterior } from "../../src/runs/posterior-file.node.ts";
import type { Recipe } from "../../src/runs/recipe.ts";
import { requireSameOutputs } from "../../src/runs/same-outputs.ts";
import { expectProblemLater } from "../data/support.ts";
import { recipeOf, temporaryFolder, writeTask } from "./support.ts";

const CHAIN = { kind: "chain", lambda: 0.1, meanRun: 3 } as const;

function task(posterior: object) {
  const folder = temporaryFolder();
  const base = recipeOf(writeTask(folder, { epochs: 10 }));
  const recipe = {
    ...base,
    optimizer: { kind: "adam" },
    learningRate: 0.005,
    sparsifier: null,
    posterior: { method: "turbo-vbi", roundEpochs: 1, ...posterior },
  } as Recipe;
  const path = (name: string) => join(folder, name);
  const model = (name: string, file: string) => importModel(readFileSync(join(path(name), file)));
  return { recipe, path, model };
}

test("a recipe with posteriors leaves a pruned network, a smaller one of the same outputs, and its patterns", async () => {
  const { recipe, path, model } = task({ prior: CHAIN });
  const { patterns, finished } = await executeRun(recipe, path("a"));
  expect(finished).toBe(true);
  const trained = model("a", "trained.onnx");
  for (const { name, nonZeros, weights } of patterns!) {
    const { data } = trained.parameters.get(`${name}.weight`)!;
    expect([data.filter((w) => w !== 0).length, data.length]).toEqual([nonZeros, weights]);
  }
  const kept = patterns!.reduce((sum, l) => sum + l.density, 0) / patterns!.length;
  expect(kept).toBeGreaterThan(0.01);
  expect(kept).toBeLessThan(0.8);
  const data = await loadDataset(recipe.data);
  await requireSameOutputs(trained, model("a", "model.onnx"), data.test, scaleFor(recipe.inputScale, data));
});

test.each([
  ["while it had posteriors", 5],
  ["after weights had gone", 8],
])("a run that was stopped %s resumes to the same bits", async (_, last) => {
  const { recipe, path } = task({ prior: CHAIN, learnPrior: true });
  const bytes = (name: string) =>
    ["trained.onnx", "model.posterior.safetensors"].map((file) => readFileSync(join(path(name), file)));
  const whole = await executeRun(recipe, path("whole"));
  const control = new AbortController();
  await executeRun(recipe, path("whole2"), {
    signal: control.signal,
    onStep: ({ epoch, step }) => epoch === last && step % 15 === 7 && control.abort(),
  });
  const resumed = await executeRun(recipe, path("whole2"), { resume: true });
  expect(bytes("whole2")).toEqual(bytes("whole"));
  expect(whole.commit!.before.accuracy).toBeGreaterThan(0.5);
  expect(resumed.commit).toEqual(whole.commit);
});

test.each(["sparse-vd", "bc-gnj", "vibnet"])("%s takes the place of supports", async (method) => {
  const { recipe, path, model } = task({ method, prior: null, strength: 3 });
  const { patterns, commit, metrics } = await executeRun(recipe, path("a"));
  expect(commit).toBeDefined();
  for (const { name, density } of patterns!) expect(metrics[`density/${name}`]).toBeCloseTo(density, 9);
  const deviations = await loadPosterior(join(path("a"), "model.onnx"), model("a", "model.onnx"));
  expect(deviations.size).toBe(3);
});

test("the posterior lies beside the model, and eval draws from it", async () => {
  const { recipe, path, model } = task({ prior: CHAIN });
  await executeRun(recipe, path("a"));
  const file = join(path("a"), "model.onnx");
  const deviations = await loadPosterior(file, model("a", "model.onnx"));
  // Weights of a trained network are all different, so each names its own ln σ, which the last checkpoint has.
  const { snapshot } = (await loadCheckpoint(join(path("a"), "checkpoints"), expect.fail))!;
  const numbers = (name: string) => [...snapshot.tensors[`parameter/${name}`].data].map(Number);
  expect([...deviations.keys()]).toEqual(["conv1.weight", "conv2.weight", "fc.weight"]);
  for (const [name, { data }] of deviations) {
    const known = new Map(numbers(name).map((w, i) => [w, numbers(`${name}/logSigma`)[i]]));
    model("a", "model.onnx")
      .parameters.get(name)!
      .data.forEach((w, i) => {
        if (w === 0) expect(data[i]).toBe(0);
        else expect(data[i]).toBeCloseTo(Math.exp(known.get(w)!), 6);
      });
  }
  const options = { batch: 20, threads: 1, draws: 4, seed: 1 };
  const evaluated = await evaluateFile(file, recipe.data, options);
  expect(evaluated.predictive!.draws).toBe(4);
  expect(evaluated.predictive!.spread.right).toBeGreaterThan(1e-5);
  expect(Math.abs(evaluated.predictive!.accuracy - evaluated.accuracy)).toBeLessThan(0.2);
  const other = mlp({ inputShape: [1, 8, 8], classes: 2, hidden: [3], seed: 0 });
  await expectProblemLater(loadPosterior(file, other), /"conv1.weight" .* do not belong together/);
  await expectProblemLater(
    evaluateFile(join(path("a"), "trained.onnx"), recipe.data, options),
    /trained\.onnx has no posterior/,
  );
});

test.each([
  [{ layers: { conv: CHAIN } }, /there is no linear layer or convolution "conv"/],
  [{ method: "vbi", prior: CHAIN }, /bits are independent in vbi/],
  [{ method: "vbi", prior: null, layers: { fc: CHAIN } }, /bits are independent in vbi/],
  [{ prior: { kind: "chain", lambda: 0.9, meanRun: 2 } }, /runs are longer than 2/],
  [{ method: "vibnet", prior: CHAIN }, /vibnet has a prior of its own/],
])("%o is refused", async (posterior, message) => {
  const { recipe, path } = task(posterior);
  await expectProblemLater(executeRun(recipe, path("a")), message);
});

test("groups and posteriors exclude each other", async () => {
  const { recipe, path } = task({ prior: CHAIN });
  const both = { ...recipe, sparsifier: recipeOf(writeTask(path("b"))).sparsifier };
  await expectProblemLater(executeRun(both, path("a")), /leave one of them out/);
});
