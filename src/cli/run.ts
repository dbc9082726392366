import { join } from "node:path";
import type { Command } from "commander";
import {
  formatBytes,
  formatCount,
  formatMany,
  formatSeconds,
  formatShare,
  significant,
} from "../runs/format.ts";
import type { Recipe } from "../runs/recipe.ts";
import type { MetricsLine, RunFootprint, RunResult } from "../runs/run-result.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit } from "./command.ts";
import { downloadProgress } from "./downloads.ts";
import { INTERRUPTED, onInterrupt } from "./interrupt.ts";
import { dataDirOption } from "./options.ts";
import type { Progress } from "./progress.ts";
import { note, startProgress } from "./progress.ts";
import { shellLine } from "./shell.ts";
import { table } from "./table.ts";

interface RunCommandOptions extends JsonOption {
  resume?: boolean;
  runs: string;
  dataDir?: string;
}

export function runCommand(): Command {
  return createCommand("run", {
    summary: "train what a recipe asks for, in a directory of its own",
    examples: ["filigree run recipe.yaml", "filigree run runs/recipe --resume"],
    keys: {
      name: "name of the run",
      directory: "its directory, with recipe.yaml, metrics.jsonl, checkpoints/, model.onnx, result.json",
      finished: "false where Ctrl-C stopped it; go on with --resume",
      epochs: "epochs that are done",
      bestEpoch: "with earlyStopping in the recipe: the epoch, from 1, whose weights the model has",
      steps: "steps that are done",
      seconds: "time that training has taken",
      metrics:
        "of the last epoch, or the best: loss, trainAccuracy, accuracy and testLoss (on the test set), with held-out samples validationAccuracy and validationLoss, …",
      sparsity:
        "null without a sparsifier, else { layers, commit }: groups, keep, natural, forced of each layer",
      "patterns, commit":
        "with a posterior in the recipe: which weights are left of each layer, and figures before and after the others became zero",
      footprint:
        "with lowMemory in the recipe, { trainable, parameters, effectiveSteps, weights, gradients, optimizer, peak, visits }",
      "…trainable, parameters": "numbers that train, and at full rank would",
      "…effectiveSteps": "steps times the share of those that trained",
      "…weights, gradients, optimizer": "bytes held between steps",
      "…peak": "bytes of the process's memory at its largest, data included",
      "…visits":
        "of sst, { rounds, stepsPerPair, weight }: rounds done, and steps that a pair of singular vectors trained in, on average, in the layer where these are fewest",
    },
  })
    .argument("<recipe>", "a YAML file, or the directory of a run")
    .option("--resume", "go on from the newest checkpoint")
    .option("--runs <folder>", "folder of the runs' directories", "runs")
    .addOption(dataDirOption())
    .action(async (source: string, options: RunCommandOptions) => {
      const { executeRun, findRun } = await import("../runs/execute-run.node.ts");
      const { recipe, directory } = await findRun(source, options.runs);
      note(`${directory}: ${recipe.model} on ${recipe.data}, ${formatMany(recipe.epochs, "epoch")}`);
      const interrupt = onInterrupt("stopping after this step");
      const display = trainingDisplay(recipe);
      try {
        const result = await executeRun(recipe, directory, {
          ...downloadProgress(),
          resume: options.resume,
          dataDir: options.dataDir,
          signal: interrupt.signal,
          warn: (message) => note(`note: ${message}`),
          onStep: ({ step, steps, loss }) => display.step(step, steps, loss),
          onEpoch: display.epoch,
        });
        display.end();
        emit(options, { ...result, directory }, summary(result, directory));
        if (result.finished) return;
        const where = options.dataDir === undefined ? [] : ["--data-dir", options.dataDir];
        const again = shellLine(["filigree", "run", directory, ...where, "--resume"]);
        note(`stopped at step ${result.steps}; go on with: ${again}`);
        process.exitCode = INTERRUPTED;
      } finally {
        display.end();
        interrupt.dispose();
      }
    });
}

/** A progress bar over all steps and a line for each epoch. */
export function trainingDisplay({ name, epochs }: Pick<Recipe, "name" | "epochs">) {
  let progress: Progress | undefined;
  return {
    step: (step: number, steps: number, loss: number) => {
      progress ??= startProgress({ label: name, total: steps, unit: "steps", from: step - 1 });
      progress.update(step, `loss ${significant(loss)}`);
    },
    epoch: ({ epoch, loss, learningRate, metrics }: MetricsLine) => {
      const { accuracy, validationAccuracy } = metrics;
      const parts = [`loss ${significant(loss)}`, `learning rate ${significant(learningRate)}`];
      if (validationAccuracy !== undefined)
        parts.splice(1, 0, `validation accuracy ${formatShare(validationAccuracy)}`);
      else if (accuracy !== undefined) parts.splice(1, 0, `accuracy ${formatShare(accuracy)}`);
      note(`epoch ${String(epoch + 1).padStart(String(epochs).length)}/${epochs}  ${parts.join("  ")}`);
    },
    end: () => progress?.end(),
  };
}

function summary(result: RunResult, directory: string): string {
  const { finished, epochs, bestEpoch, seconds, metrics, sparsity, footprint } = result;
  const { accuracy } = metrics;
  const lines = [
    `${formatMany(epochs, "epoch")} in ${formatSeconds(seconds)}${accuracy === undefined ? "" : `, test accuracy ${formatShare(accuracy)}`}${bestEpoch !== undefined ? `, weights of epoch ${bestEpoch}` : ""}`,
  ];
  if (sparsity?.layers.length)
    lines.push(
      table(
        [
          { heading: "layer" },
          ...["groups", "natural", "kept", "forced", "epoch"].map((heading) => ({
            heading,
            align: "right" as const,
          })),
        ],
        sparsity.layers.map((l) => [l.name, l.groups, l.natural, l.natural - l.forced, l.forced, l.epoch]),
      ),
    );
  if (footprint) lines.push(...held(footprint));
  if (finished) lines.push(join(directory, "model.onnx"));
  return lines.join("\n");
}

function held({ trainable, parameters, effectiveSteps, visits, ...bytes }: RunFootprint): string[] {
  const { weights, gradients, optimizer, peak } = bytes;
  return [
    `${formatCount(trainable)} of ${formatCount(parameters)} numbers trained: ${significant(effectiveSteps)} effective steps`,
    `held ${formatBytes(weights)} of weights, ${formatBytes(gradients)} of gradients, ${formatBytes(optimizer)} of the optimiser's; the process ${formatBytes(peak)} at most`,
    ...(visits
      ? [
          `${significant(visits.rounds)} rounds; a pair of singular vectors of ${visits.weight} trained in ${significant(visits.stepsPerPair)} steps on average, fewer than elsewhere`,
        ]
      : []),
  ];
}
