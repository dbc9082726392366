import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { Graph } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { resnet } from "../../src/nn/models/resnet.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { compress } from "../../src/runs/compress.node.ts";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import { pruneFile } from "../../src/runs/prune-file.node.ts";
import { recipeOf, temporaryFolder, writeTask } from "./support.ts";

const shrinking = vi.hoisted(() => ({ wrong: false }));
vi.mock("../../src/sparsity/shrink-zeros.ts", async (load) => {
  const real = await load<typeof import("../../src/sparsity/shrink-zeros.ts")>();
  return {
    ...real,
    shrinkZeros: (...args: Parameters<typeof real.shrinkZeros>) => {
      const found = real.shrinkZeros(...args);
      const [filters] = found.graph.parameters.values();
      if (shrinking.wrong) filters.data[0] += 1;
      return found;
    },
  };
});
vi.mock("../../src/sparsity/shrink.ts", async (load) => {
  const real = await load<typeof import("../../src/sparsity/shrink.ts")>();
  return {
    ...real,
    shrink: (graph: Graph, keep: ReadonlyMap<string, ArrayLike<boolean | number>>) =>
      real.shrink(
        graph,
        // As many channels, but others.
        shrinking.wrong ? new Map([...keep].map(([name, mask]) => [name, Array.from(mask).reverse()])) : keep,
      ),
  };
});
afterEach(() => {
  shrinking.wrong = false;
});

/** Shrinking that puts one wrong weight into the smaller network. */
test("a run writes no smaller model that computes something else", async () => {
  const folder = temporaryFolder();
  const recipe = { ...recipeOf(writeTask(folder)), epochs: 2 };
  shrinking.wrong = true;
  const path = join(folder, "wrong");
  await expect(executeRun(recipe, path)).rejects.toThrow(/outputs differ .* no model was written/);
  expect(existsSync(join(path, "model.onnx"))).toBe(false);
  expect(existsSync(join(path, "trained.onnx"))).toBe(true);
  // The control: what failed is the shrinking, not the run.
  shrinking.wrong = false;
  await executeRun(recipe, path, { resume: true });
  expect(existsSync(join(path, "model.onnx"))).toBe(true);
});

test("neither does compress", async () => {
  const folder = temporaryFolder();
  const model = join(folder, "net.onnx");
  writeFileSync(model, exportModel(smallCnn({ inputShape: [1, 16, 16], classes: 10, seed: 3 })));
  shrinking.wrong = true;
  const output = join(folder, "small.onnx");
  await expect(
    compress(
      {
        model,
        data: "glyphs",
        inputScale: "standard",
        method: "magnitude",
        budget: { keep: 0.5 },
        epochs: 2,
        seed: 0,
        batch: 100,
        threads: 1,
        optimizer: "sgd",
        learningRate: 0.05,
        directory: folder,
      },
      { output },
    ),
  ).rejects.toThrow(/outputs differ .* no model was written/);
  expect(existsSync(output)).toBe(false);
});

test.each(["filter", "layer"] as const)("nor does prune, with groups of kind %s", async (groups) => {
  const folder = temporaryFolder();
  const model = join(folder, "net.onnx");
  const image = { inputShape: [1, 8, 8], classes: 4, widths: [4, 6], blocks: [2, 1] };
  writeFileSync(model, exportModel(resnet(image)));
  const output = join(folder, "pruned.onnx");
  shrinking.wrong = true;
  await expect(pruneFile(model, { keep: 0.5, groups, output })).rejects.toThrow(
    /outputs differ .* no model was written/,
  );
  expect(existsSync(output)).toBe(false);
  shrinking.wrong = false;
  await pruneFile(model, { keep: 0.5, groups, output });
  expect(existsSync(output)).toBe(true);
});
