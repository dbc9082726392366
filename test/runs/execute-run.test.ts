import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { holdOut } from "../../src/data/hold-out.ts";
import { loadDataset } from "../../src/data/load.node.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { evaluateClassifier } from "../../src/nn/classification.ts";
import type { TrainingSnapshot } from "../../src/nn/trainer.ts";
import { decodeCheckpoint, encodeCheckpoint, listCheckpoints } from "../../src/runs/checkpoint.node.ts";
import type { RunOptions } from "../../src/runs/execute-run.node.ts";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import type { Recipe } from "../../src/runs/recipe.ts";
import { readMetrics, readRun } from "../../src/runs/run-directory.node.ts";
import { expectProblemLater } from "../data/support.ts";
import { recipeOf, temporaryFolder, writeTask } from "./support.ts";

function task(change: Partial<Recipe> = {}) {
  const folder = temporaryFolder();
  const recipe = { ...recipeOf(writeTask(folder)), ...change };
  const path = (name: string) => join(folder, "runs", name);
  const model = (name: string) => readFileSync(join(path(name), "model.onnx"));
  const run = (name: string, options: RunOptions = {}) => executeRun(recipe, path(name), options);
  /** Runs until step `last` and stops there, as Ctrl-C does. */
  const runUntil = (name: string, last: number) => {
    const controller = new AbortController();
    return run(name, {
      signal: controller.signal,
      onStep: ({ step }) => {
        if (step === last) controller.abort();
      },
    });
  };
  return { folder, recipe, path, model, run, runUntil };
}

const withoutTime = (lines: readonly object[]) => lines.map((line) => ({ ...line, seconds: 0 }));

describe("a run", () => {
  test("leaves its recipe, metrics, checkpoints, models and result", async () => {
    const { path, run } = task();
    const result = await run("a");
    expect(readdirSync(path("a")).sort()).toEqual([
      "checkpoints",
      "metrics.jsonl",
      "model.onnx",
      "recipe.yaml",
      "result.json",
      "trained.onnx",
    ]);
    expect(result).toMatchObject({ finished: true, epochs: 4, steps: 60 });
    const { recipe, lines, result: written } = await readRun(path("a"));
    expect(written).toEqual(result);
    expect(lines.map((l) => [l.epoch, l.step])).toEqual([0, 1, 2, 3].map((e) => [e, 15 * (e + 1)]));
    expect(recipe.versions.node).toBe(process.versions.node);
    expect(result.metrics.accuracy).toBe(lines.at(-1)?.metrics.accuracy);
    // The sparsifier has left 5 and 3 of 8 filters, and what is left is all that the file holds.
    const shapes = (file: string) =>
      [...importModel(readFileSync(join(path("a"), file))).parameters.values()]
        .map((t) => t.shape)
        .filter((shape) => shape.length === 4);
    expect(shapes("trained.onnx")).toEqual([
      [8, 1, 3, 3],
      [8, 8, 3, 3],
    ]);
    expect(shapes("model.onnx")).toEqual([
      [5, 1, 3, 3],
      [3, 5, 3, 3],
    ]);
  });

  test("learns, and its model.onnx is what was measured", async () => {
    const { recipe, model, run } = task({ sparsifier: null, epochs: 8 });
    const { metrics, sparsity } = await run("a");
    expect(sparsity).toBeNull();
    expect(metrics.accuracy).toBeGreaterThan(0.95);
    const { test: split, scale } = await loadDataset(recipe.data);
    const { accuracy, loss } = await evaluateClassifier(importModel(model("a")), split, scale);
    expect(accuracy).toBe(metrics.accuracy);
    expect(loss).toBeCloseTo(metrics.testLoss, 5);
  });

  test("with held-out samples trains without them, and measures them beside the test set", async () => {
    const { recipe, model, run } = task({ sparsifier: null, validation: 0.2 });
    const { metrics, steps } = await run("a");
    // 240 of 300 samples in batches of 20, four epochs.
    expect(steps).toBe(48);
    const { validation, scale } = holdOut(await loadDataset(recipe.data), 0.2, recipe.seed);
    const { accuracy, loss } = await evaluateClassifier(importModel(model("a")), validation!, scale);
    expect(accuracy).toBe(metrics.validationAccuracy);
    expect(loss).toBeCloseTo(metrics.validationLoss, 5);
    expect(metrics.testLoss).not.toBeCloseTo(metrics.validationLoss, 5);
  });

  test("stops early by its held-out samples, with the weights of the best epoch, also when it was interrupted", async () => {
    const settings = { sparsifier: null, validation: 0.2, epochs: 30, learningRate: 0.3 };
    const earlyStopping = { metric: "validationLoss", patience: 2, restoreBest: true } as const;
    const { recipe, path, model, run, runUntil } = task({ ...settings, earlyStopping });
    const { bestEpoch, epochs, metrics, steps } = await run("whole");
    const lines = await readMetrics(path("whole"));
    const losses = lines.map((l) => l.metrics.validationLoss);
    expect(losses[bestEpoch! - 1]).toBe(Math.min(...losses));
    expect([epochs, steps]).toEqual([bestEpoch! + 2, 12 * (bestEpoch! + 2)]);
    expect(epochs).toBeLessThan(30);
    expect(metrics).toEqual({ loss: lines[bestEpoch! - 1].loss, ...lines[bestEpoch! - 1].metrics });
    const { validation, scale } = holdOut(await loadDataset(recipe.data), 0.2, recipe.seed);
    const { loss } = await evaluateClassifier(importModel(model("whole")), validation!, scale);
    expect(loss).toBeCloseTo(Math.min(...losses), 5);
    // Before the best epoch, at its end, and after it.
    for (const last of [12 * bestEpoch! - 7, 12 * bestEpoch!, 12 * bestEpoch! + 5]) {
      expect(await runUntil(`at-${last}`, last)).toMatchObject({ finished: false });
      expect(await run(`at-${last}`, { resume: true })).toMatchObject({ bestEpoch, epochs });
      expect(model(`at-${last}`).equals(model("whole"))).toBe(true);
    }
    expect(await run("whole", { resume: true })).toMatchObject({ bestEpoch, epochs, steps });
    // Control: the last epoch's weights are others.
    const other = { ...recipe, earlyStopping: { ...earlyStopping, restoreBest: false } };
    expect(await executeRun(other, path("last"))).toMatchObject({ epochs, metrics: lines.at(-1)!.metrics });
    expect(model("last").equals(model("whole"))).toBe(false);
  });

  test("that is interrupted goes on to the same bytes and metrics", async () => {
    const { path, model, run, runUntil } = task();
    await run("whole");
    for (const last of [7, 15, 44, 45, 50]) {
      const name = `stopped-${last}`;
      expect(await runUntil(name, last)).toMatchObject({ finished: false, steps: last });
      expect(existsSync(join(path(name), "model.onnx"))).toBe(false);
      expect(await run(name, { resume: true })).toMatchObject({ finished: true, steps: 60 });
      expect(model(name).equals(model("whole"))).toBe(true);
      expect(withoutTime(await readMetrics(path(name)))).toEqual(
        withoutTime(await readMetrics(path("whole"))),
      );
    }
  });

  test("goes on smaller once filters are dead for good, unless it is told not to", async () => {
    const { path, recipe, run } = task();
    const { sparsity } = await run("smaller");
    const method = { ...recipe.sparsifier!, shrinkWhileTraining: false };
    const whole = await executeRun({ ...recipe, sparsifier: method }, path("whole"));
    const cutIn = async (name: string) => {
      const [newest] = await listCheckpoints(join(path(name), "checkpoints"));
      return decodeCheckpoint(readFileSync(newest), newest).sparsifier;
    };
    expect(await cutIn("smaller")).toHaveProperty("livingWhenCut");
    expect(await cutIn("whole")).not.toHaveProperty("livingWhenCut");
    // Both speak of the original network.
    expect(sparsity).toEqual(whole.sparsity);
    expect(sparsity!.layers.map((l) => l.groups)).toEqual([8, 8]);
    const losses = async (name: string) => (await readMetrics(path(name))).map((l) => l.loss);
    const [a, b] = [await losses("smaller"), await losses("whole")];
    a.forEach((loss, i) => expect(loss).toBeCloseTo(b[i], 5));
  });

  test("with Adam goes on to the same bytes too", async () => {
    const { model, run, runUntil } = task({ optimizer: { kind: "adam" }, learningRate: 0.01 });
    await run("whole");
    await runUntil("stopped", 33);
    await run("stopped", { resume: true });
    expect(model("stopped").equals(model("whole"))).toBe(true);
  });

  test("that dies between the last step of an epoch and its end goes on to the same metrics", async () => {
    const { path, model, run } = task({ saveEvery: 5 });
    await run("whole");
    const dies = () => {
      throw new Error("dead");
    };
    await expect(run("dead", { onEpoch: dies })).rejects.toThrow("dead");
    const [newest] = await listCheckpoints(join(path("dead"), "checkpoints"));
    expect(newest).toContain("step-00000015");
    await run("dead", { resume: true });
    expect(model("dead").equals(model("whole"))).toBe(true);
    expect(withoutTime(await readMetrics(path("dead")))).toEqual(
      withoutTime(await readMetrics(path("whole"))),
    );
  });

  // Control: each part of a checkpoint matters, so the equality above is not for free.
  test.each<[string, (s: TrainingSnapshot) => void]>([
    ["momentum", (s) => clear(s, "momentum/")],
    ["running statistics", (s) => clear(s, "statistic/")],
    ["weights", (s) => clear(s, "parameter/conv2")],
    [
      "the sparsifier's state",
      (s) => {
        const { states } = s.sparsifier as { states: { frozen?: number[]; lambda: number }[] };
        for (const state of states) state.lambda *= 2;
      },
    ],
    [
      "the place in the epoch",
      (s) => {
        s.progress.stepInEpoch++;
      },
    ],
  ])("that goes on with other %s ends elsewhere", async (_, change) => {
    const { path, model, run, runUntil } = task();
    await run("whole");
    await runUntil("changed", 33);
    const [newest] = await listCheckpoints(join(path("changed"), "checkpoints"));
    const snapshot = decodeCheckpoint(readFileSync(newest), newest);
    change(snapshot);
    writeFileSync(newest, encodeCheckpoint(snapshot));
    await run("changed", { resume: true });
    expect(model("changed").equals(model("whole"))).toBe(false);
  });

  test("goes on from the checkpoint before a damaged one, and says so", async () => {
    const { path, model, run, runUntil } = task();
    await run("whole");
    await runUntil("damaged", 33);
    const [newest] = await listCheckpoints(join(path("damaged"), "checkpoints"));
    writeFileSync(newest, readFileSync(newest).subarray(0, 1000));
    const warnings: string[] = [];
    await run("damaged", { resume: true, warn: (w) => warnings.push(w) });
    expect(warnings).toHaveLength(1);
    expect(model("damaged").equals(model("whole"))).toBe(true);
  });

  test("drops metrics that are newer than its checkpoint, and half a line", async () => {
    const { path, run, runUntil } = task();
    await runUntil("a", 33);
    const file = join(path("a"), "metrics.jsonl");
    const before = await readMetrics(path("a"));
    writeFileSync(file, `${readFileSync(file, "utf8")}${JSON.stringify({ ...before[0], epoch: 2 })}\n{"epo`);
    await run("a", { resume: true });
    const lines = await readMetrics(path("a"));
    expect(lines.map((l) => l.epoch)).toEqual([0, 1, 2, 3]);
    expect(lines.slice(0, 2)).toEqual(before);
    expect(lines[2].step).toBe(45);
  });

  test("does not write over another, nor go on with another recipe", async () => {
    const { path, recipe, run, runUntil } = task();
    await runUntil("a", 5);
    await expectProblemLater(run("a"), /already holds a run; go on with it by --resume/);
    await expectProblemLater(
      executeRun({ ...recipe, batch: 10 }, path("a"), { resume: true }),
      /another recipe \(batch: 20 against 10\); go on with its own by giving .*a, or use another name/,
    );
  });

  test("keeps a second process out, but not for a dead one", async () => {
    const { path, run, runUntil } = task();
    await runUntil("a", 5);
    const lock = join(path("a"), ".lock");
    const { hostname } = await import("node:os");
    writeFileSync(lock, `${hostname()} ${process.pid} someone`);
    await expectProblemLater(run("a", { resume: true }), new RegExp(`in use by process ${process.pid}`));
    writeFileSync(lock, `${hostname()} 999999999 someone`);
    expect(await run("a", { resume: true })).toMatchObject({ finished: true });
    expect(existsSync(lock)).toBe(false);
  });

  test("whose loss is no longer finite names step, layer and last checkpoint", async () => {
    const { run, path } = task({ learningRate: 1e30 });
    await expectProblemLater(run("a"), /step \d+|after step \d+/);
    await expectProblemLater(
      run("b"),
      /(the loss became|no longer finite).*(the last good checkpoint is|there is no checkpoint yet)/,
    );
    expect(existsSync(join(path("a"), "model.onnx"))).toBe(false);
  });

  test.each([
    ["model: nothere.onnx", /^cannot read nothere\.onnx: no such file/],
    ["model: lenett", /there is no model "lenett"; did you mean "lenet"\?/],
    ["data: mnits", /no such data set/],
    ["batch: 301", /a batch of 301 is larger than the 300 training samples of data; choose a smaller batch/],
    [
      "sparsifier: { method: wgsef, keep: { conv: 3 } }",
      /no layer "conv" that can shrink; did you mean "conv1"\?.*there are conv1, conv2/,
    ],
    ["sparsifier: { method: wgsef, keep: { conv1: 9 } }", /"conv1" has 8 groups; cannot keep 9/],
    ["optimizer: adamax", /proximal step for sgd, adam and adamw, not for adamax/],
    [
      "optimizer: rmsprop",
      /proximal step for sgd, adam and adamw, not for rmsprop; adam with betas: \[0, 0.99\]/,
    ],
  ])("with %j is refused before anything is written", async (line, message) => {
    const folder = temporaryFolder();
    const key = `${line.split(":")[0]}:`;
    const rest = writeTask(folder)
      .split("\n")
      .filter((l) => !l.startsWith(key));
    const recipe = recipeOf([...rest, line].join("\n"));
    await expectProblemLater(executeRun(recipe, join(folder, "runs", "a")), message);
    expect(existsSync(join(folder, "runs"))).toBe(false);
  });

  test.skipIf(!existsSync("/dev/full"))("that meets a full disk can go on when there is room", async () => {
    const { path, model, run } = task();
    await run("whole");
    const checkpoints = join(path("full"), "checkpoints");
    mkdirSync(checkpoints, { recursive: true });
    symlinkSync("/dev/full", join(checkpoints, "step-00000008.safetensors.tmp"));
    await expectProblemLater(
      run("full"),
      /cannot write .*step-00000008.*: the disk is full; .*the last good checkpoint is .*step-00000004/,
    );
    expect(readdirSync(checkpoints)).toEqual(["step-00000004.safetensors"]);
    await run("full", { resume: true });
    expect(model("full").equals(model("whole"))).toBe(true);
  });

  test("in a place that cannot be written to is refused in one line", async () => {
    const { folder, recipe } = task();
    writeFileSync(join(folder, "file"), "");
    await expectProblemLater(executeRun(recipe, join(folder, "file", "a")), /a part of this path is a file/);
  });
});

function clear({ tensors }: TrainingSnapshot, prefix: string): void {
  for (const [name, { data }] of Object.entries(tensors)) if (name.startsWith(prefix)) data.fill(0 as never);
}
