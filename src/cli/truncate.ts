import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Device } from "../engine/session.ts";
import { compared, comparedShare } from "../runs/compression-rows.ts";
import { checkWritable } from "../runs/files.node.ts";
import { formatBytes, formatCount, formatSeconds, significant } from "../runs/format.ts";
import type { InputScale } from "../runs/input-scale.ts";
import type { TruncateResult } from "../runs/truncate-file.node.ts";
import type { TruncationRule } from "../sparsity/spectral/truncate.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, wholeNumber } from "./command.ts";
import { figureTable, right } from "./compression-table.ts";
import { downloadProgress } from "./downloads.ts";
import {
  dataDirOption,
  deviceOption,
  dimensionOption,
  inputScaleOption,
  modelName,
  threadsOption,
} from "./options.ts";
import { note } from "./progress.ts";
import { table } from "./table.ts";

interface TruncateOptions extends JsonOption {
  keep: TruncationRule;
  layers?: string[];
  for: "speed" | "size";
  merge?: boolean;
  batch: number;
  data?: string;
  dataDir?: string;
  inputScale?: InputScale;
  calibrate?: number;
  dimension?: Record<string, number>;
  threads?: number;
  device: Device;
  output?: string;
}

export function truncateCommand(): Command {
  return createCommand("truncate", {
    summary: "cut small singular values off a network's weights, without training",
    examples: [
      "filigree truncate model.onnx --keep energy=0.9",
      "filigree truncate model.onnx --keep sum=0.8 --data mnist --calibrate 1000 -o thin.onnx",
    ],
    words: {
      heading: "What --keep takes:",
      meanings: {
        "sum=0.95": "the fewest singular values of each layer that make up 95 % of their sum",
        "energy=0.9": "the same of the sum of their squares",
        "rank=32": "so many of each layer",
      },
    },
    keys: {
      "model, output": "paths of the two files",
      layers: "list of { weight, outputs, inputs, rank, of, error, form, latencyMs }",
      "…rank, of": "singular values that --keep leaves, and those that there were",
      "…error":
        "how far the new weight is from the old one, as the root of the sum of squares; 0 of a whole one",
      "…form":
        "factors: two thin products; whole: the weight as it was; merged: one weight of low rank (--merge)",
      "…latencyMs":
        "{ merged, factors }: the layer alone as one product and as two; absent where two have no fewer weights, and with --for size",
      data: "name of the data set; null without --data",
      accuracy: "{ before, after } on the test set, 0 to 1; null without --data",
      "parameters, bytes, macs": "{ before, after }; bytes of the .onnx file, multiply-accumulates a sample",
      "latencyMs, batch": "{ before, after } of a run of so many samples on one thread",
      outputError:
        "largest difference of an output between the file and one weight in place of two factors, relative",
      seconds: "time it took",
    },
  })
    .argument("<model>", "an .onnx or .flg file")
    .requiredOption("--keep <rule>", "how many singular values stay; see below", parseRule)
    .option("--layers <names>", "weights to cut, with commas; default all but output layers", (text) =>
      text.split(","),
    )
    .option(
      "--for <aim>",
      "speed: two thin products where they are measured to be quicker; size: where they have fewer weights",
      choice(["speed", "size"]),
      "speed",
    )
    .option("--merge", "cut the other layers too, as one weight of low rank, which saves nothing")
    .option("--batch <n>", "samples a run that layers are timed at", wholeNumber(1), 1)
    .option("--data <name>", "classified samples to measure accuracy on: a data set, an .npz file, a folder")
    .addOption(dataDirOption())
    .addOption(inputScaleOption())
    .option("--calibrate <n>", "cut what n training samples of --data miss least", wholeNumber(1))
    .addOption(dimensionOption())
    .addOption(threadsOption())
    .addOption(deviceOption())
    .option("-o, --output <file>", "the new model; default <model>-thin.onnx")
    .action(async (model: string, options: TruncateOptions) => {
      if (options.calibrate !== undefined && options.data === undefined)
        throw new InvalidArgumentError("--calibrate takes samples of --data; say which data");
      if (options.inputScale !== undefined && options.data === undefined)
        throw new InvalidArgumentError("--input-scale is about samples of --data; say which data");
      const output = options.output ?? `${modelName(model)}-thin.onnx`;
      await checkWritable(output, model);
      const { truncateFile } = await import("../runs/truncate-file.node.ts");
      const result = await truncateFile(model, {
        ...downloadProgress(),
        ...options,
        rule: options.keep,
        aim: options.for,
        others: options.merge ? "merged" : "whole",
        dimensions: options.dimension,
        output,
        onStage: note,
      });
      if (result.layers.every((l) => l.form === "whole"))
        note("note: no layer has become smaller; keep fewer values, or choose --for size");
      emit(options, result, describe(result));
    });
}

function describe({ layers, ...result }: TruncateResult): string {
  const ms = (v: number) => `${significant(v)} ms`;
  const figures = [
    ...(result.accuracy ? [comparedShare("test accuracy", result.accuracy)] : []),
    compared("parameters", result.parameters, formatCount),
    compared("bytes on disk", result.bytes, formatBytes),
    compared("multiply-accumulates", result.macs, formatCount),
    compared(`latency, batch ${result.batch}`, result.latencyMs, ms),
  ];
  const timed = layers.some((l) => l.latencyMs);
  const byLayer = table(
    [
      { heading: "weight" },
      right("size"),
      right("values kept"),
      { heading: "form" },
      ...(timed ? [right("one product"), right("two")] : []),
    ],
    layers.map(({ latencyMs, ...l }) => [
      l.weight,
      `${l.outputs} × ${l.inputs}`,
      `${l.rank} of ${l.of}`,
      l.form,
      ...(timed ? [latencyMs?.merged, latencyMs?.factors].map((t) => (t === undefined ? "" : ms(t))) : []),
    ]),
  );
  const heading = result.data ? `${result.model} on ${result.data}` : result.model;
  return [
    figureTable(heading, figures),
    byLayer,
    `took ${formatSeconds(result.seconds)}\nmodel ${result.output}`,
  ].join("\n\n");
}

function parseRule(text: string): TruncationRule {
  const [, kind, amount] = /^(sum|energy|rank)=(\d*\.?\d+)$/.exec(text) ?? [];
  const value = Number(amount);
  if (kind === "rank" && Number.isInteger(value) && value >= 1) return { kind, rank: value };
  if ((kind === "sum" || kind === "energy") && value > 0 && value <= 1) return { kind, share: value };
  throw new InvalidArgumentError(
    "expected sum=0.95 or energy=0.9, a share above 0 and at most 1, or rank=32, a whole number",
  );
}
