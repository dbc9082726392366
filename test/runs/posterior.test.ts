import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadDataset } from "../../src/data/load.node.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import { scaleFor } from "../../src/runs/input-scale.ts";
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

test("a run that was stopped while it had posteriors resumes to the same bits", async () => {
  const { recipe, path } = task({ prior: CHAIN, learnPrior: true });
  const bytes = (name: string) => readFileSync(join(path(name), "trained.onnx"));
  await executeRun(recipe, path("whole"));
  const control = new AbortController();
  await executeRun(recipe, path("whole2"), {
    signal: control.signal,
    onStep: ({ epoch, step }) => epoch === 5 && step % 15 === 7 && control.abort(),
  });
  await executeRun(recipe, path("whole2"), { resume: true });
  expect(Buffer.compare(bytes("whole"), bytes("whole2"))).toBe(0);
});

test.each([
  [{ layers: { conv: CHAIN } }, /there is no linear layer or convolution "conv"/],
  [{ method: "vbi", prior: CHAIN }, /bits are independent in vbi/],
  [{ method: "vbi", prior: null, layers: { fc: CHAIN } }, /bits are independent in vbi/],
  [{ prior: { kind: "chain", lambda: 0.9, meanRun: 2 } }, /runs are longer than 2/],
])("%o is refused", async (posterior, message) => {
  const { recipe, path } = task(posterior);
  await expectProblemLater(executeRun(recipe, path("a")), message);
});

test("groups and posteriors exclude each other", async () => {
  const { recipe, path } = task({ prior: CHAIN });
  const both = { ...recipe, sparsifier: recipeOf(writeTask(path("b"))).sparsifier };
  await expectProblemLater(executeRun(both, path("a")), /leave one of them out/);
});
