import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { importModel } from "../../src/engine/onnx/import.ts";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import type { Recipe } from "../../src/runs/recipe.ts";
import { parseRecipe } from "../../src/runs/recipe.ts";
import { recipeOf, temporaryFolder, writeTask } from "./support.ts";

function task(lowMemory: object, epochs: number) {
  const folder = temporaryFolder();
  const recipe = {
    ...recipeOf(writeTask(folder, { epochs })),
    optimizer: { kind: "adam" },
    learningRate: 0.01,
    sparsifier: null,
    lowMemory,
  } as Recipe;
  return { recipe, path: (name: string) => join(folder, name) };
}

test.each(["sst", "lora", "dora"])(
  "%s: a recipe ends in a plain network, and says what training held",
  async (method) => {
    const { recipe, path } = task({ method, rank: 2 }, 6);
    const { footprint, metrics } = await executeRun(recipe, path("a"));
    const { trainable, optimizer } = footprint!;
    const model = importModel(readFileSync(join(path("a"), "model.onnx")));
    const weights = [...model.parameters.values()].reduce((a, t) => a + t.data.length, 0);
    expect(trainable).toBeLessThan(weights);
    expect(optimizer).toBe(8 * trainable);
    expect(metrics.accuracy).toBeGreaterThan(0.8);
    expect([...model.parameters.keys()].some((name) => name.includes("/"))).toBe(false);
    const written = JSON.parse(readFileSync(join(path("a"), "result.json"), "utf8"));
    expect(written.footprint.trainable).toBe(trainable);
  },
);

test("a run stopped within an iteration resumes to the same bits", async () => {
  const { recipe, path } = task({ method: "sst", rank: 2, iterationSteps: 4, roundIterations: 2 }, 2);
  await executeRun(recipe, path("whole"));
  const control = new AbortController();
  await executeRun(recipe, path("stopped"), {
    signal: control.signal,
    onStep: ({ step }) => step === 10 && control.abort(),
  });
  await executeRun(recipe, path("stopped"), { resume: true });
  const bytes = (name: string) => readFileSync(join(path(name), "model.onnx"));
  expect(Buffer.compare(bytes("whole"), bytes("stopped"))).toBe(0);
});

test("a run too short for its rounds is warned of, and says how far it came; at full rank all steps count", async () => {
  const said = async (lowMemory: object, epochs: number, name: string) => {
    const { recipe, path } = task(lowMemory, epochs);
    const warnings: string[] = [];
    const { footprint, steps } = await executeRun(recipe, path(name), { warn: (m) => warnings.push(m) });
    return { ...footprint!, steps, warnings };
  };
  const clock = { method: "sst", rank: 2, iterationSteps: 4, roundIterations: 4 };
  const short = await said(clock, 1, "short");
  expect(short.warnings).toEqual([expect.stringContaining("sst: 15 steps are 0.94 rounds of 4 × 4")]);
  expect(short.visits!.rounds).toBe(15 / 16);
  expect(short.effectiveSteps).toBe((15 * short.trainable) / short.parameters);
  const long = await said(clock, 4, "long");
  expect(long.warnings).toEqual([]);
  expect(long.visits!.rounds).toBe(60 / 16);
  const full = await said({ method: "full" }, 1, "full");
  expect(full).toMatchObject({ warnings: [], trainable: full.parameters, effectiveSteps: full.steps });
  expect(full.visits).toBeUndefined();
  expect(full.peak).toBeGreaterThan(full.weights + full.gradients + full.optimizer);
});

test("what cannot be is refused", () => {
  const parse = (more: string) =>
    parseRecipe(`model: lenet\ndata: mnist\n${more}`, "test.yaml", { name: "test", threads: 1 });
  expect(() => parse("lowMemory: { method: vera, rank: 2 }")).toThrow(
    "one of sst, lora, dora, relora, galore, low-rank, full",
  );
  // What a method would not look at.
  expect(() => parse("lowMemory: { method: lora, rank: 2, sampler: top }")).toThrow(
    "lowMemory.sampler: unknown key",
  );
  expect(() => parse("lowMemory: { method: full, rank: 2 }")).toThrow("lowMemory.rank: unknown key");
  expect(() => parse("lowMemory: { method: sst, rank: 2, sampler: best }")).toThrow("mixed");
  expect(() =>
    parse("sparsifier: { method: wgsef, keep: 0.5 }\nlowMemory: { method: sst, rank: 2 }"),
  ).toThrow("leave the sparsifier or posterior out");
});
