import { join } from "node:path";
import type { Command } from "commander";
import { defaultThreads } from "../runs/environment.node.ts";
import { removeRun } from "../runs/run-directory.node.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, wholeNumber } from "./command.ts";
import { runCompression } from "./compress.ts";
import { note } from "./progress.ts";

interface DemoOptions extends JsonOption {
  runs: string;
  seed: number;
}

export function demoCommand(): Command {
  return createCommand("demo", {
    summary: "show the main job on synthetic digits: train, drive to 6, 10 and 20 groups, shrink, measure",
    examples: ["filigree demo"],
    keys: { "…": "the keys of filigree compress --json" },
  })
    .option("--runs <folder>", "folder of the runs' directories", "runs")
    .option("--seed <n>", "seed of weights and order", wholeNumber(0), 0)
    .action(async ({ runs, seed, json }: DemoOptions) => {
      const directory = join(runs, "demo");
      for (const run of ["dense", "sparse"]) await removeRun(join(directory, run));
      note(
        "a small network learns synthetic digits, is driven to a few filters a layer, and is shrunk to those",
      );
      await runCompression(
        {
          model: "small-cnn",
          data: "glyphs",
          inputScale: "standard",
          method: "wgsef",
          budget: { keep: { conv1: 6, conv2: 10, fc1: 20 } },
          epochs: 24,
          seed,
          batch: 100,
          threads: defaultThreads(),
          optimizer: "sgd",
          learningRate: 0.08,
          directory,
        },
        { output: join(directory, "model.onnx"), json, afterInterrupt: "the demo starts anew each time" },
      );
    });
}
