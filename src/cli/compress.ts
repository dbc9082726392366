import { basename, join } from "node:path";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Device } from "../engine/session.ts";
import { MODELS } from "../nn/models/index.ts";
import type { Compression } from "../runs/compress.node.ts";
import { compress } from "../runs/compress.node.ts";
import type { CompressRequest, GroupRequest } from "../runs/compress-request.ts";
import { defaultThreads } from "../runs/environment.node.ts";
import { checkWritable, writeWhole } from "../runs/files.node.ts";
import type { InputScale } from "../runs/input-scale.ts";
import {
  hasSupport,
  isPosteriorMethod,
  METHOD_NAMES,
  METHODS,
  methodOf,
  POSTERIOR_METHOD_NAMES,
  POSTERIOR_METHODS,
} from "../runs/methods.ts";
import { posteriorPath, savePosterior } from "../runs/posterior-file.node.ts";
import { compressionReport } from "../runs/report/compression-report.node.ts";
import { numberedDirectory } from "../runs/run-directory.node.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, positiveNumber, wholeNumber } from "./command.ts";
import { resultTable } from "./compression-table.ts";
import { downloadProgress } from "./downloads.ts";
import {
  budgetOption,
  excludeOption,
  groupsOption,
  keepOption,
  readGroups,
  requireSize,
  roundOption,
} from "./groups.ts";
import { INTERRUPTED, onInterrupt } from "./interrupt.ts";
import { dataDirOption, deviceOption, inputScaleOption, modelName, threadsOption } from "./options.ts";
import { note } from "./progress.ts";
import { trainingDisplay } from "./run.ts";
import { shellLine } from "./shell.ts";

interface CompressOptions extends JsonOption {
  data: string;
  dataDir?: string;
  inputScale?: InputScale;
  method: CompressRequest["method"];
  keep?: number | Record<string, number>;
  budget?: string;
  groups?: string;
  validation: number;
  round?: number;
  exclude?: string[];
  slab?: number;
  strength?: number;
  epochs: number;
  optimizer?: GroupRequest["optimizer"];
  learningRate?: number;
  fixed?: number;
  batch: number;
  seed: number;
  threads?: number;
  device: Device;
  output?: string;
  runs: string;
  resume?: boolean;
}

const OPTIMIZERS = ["sgd", "svrg", "adam"] as const;

export function compressCommand(): Command {
  return createCommand("compress", {
    summary: "make a network smaller and faster, to exactly the size asked for or to what the data need",
    examples: [
      "filigree compress lenet --data mnist --keep conv1=5,conv2=14,fc1=100",
      "filigree compress model.onnx --data mnist --budget macs=0.5 -o small.onnx",
      "filigree compress model.onnx --data mnist --budget ms@64=60% --round 8",
      "filigree compress lenet-300-100 --data mnist --method turbo-vbi --epochs 40",
    ],
    words: {
      heading: "Methods:",
      meanings: {
        ...Object.fromEntries(METHOD_NAMES.map((name) => [name, METHODS[name].summary])),
        ...POSTERIOR_METHODS,
      },
    },
    keys: {
      "model, data": "what was made smaller, and the data set it was trained and measured on",
      "method, groups": "what drove groups of weights to zero, and what a group is",
      "requested, budget": "groups asked for, by layer; or what the network may cost; the other one is null",
      kept: "groups that are left; equal to requested where that is given",
      natural: "groups that training itself had left, before any were cut by force",
      commit: "accuracy before and after groups were cut by force; null where none were",
      patterns:
        "with posteriors, by layer before shrinking: { name, weights, nonZeros, density, runs, meanRun, liveLines, liveColumns, indexBits, valueBits, totalBits, macs, usedMacs, latencyMs, … }; latencyMs: { dense, sparse } of the layer alone at batch 64, null without a sparse kernel; else null",
      packedBytes:
        "with posteriors, size of the new model as filigree pack stores it, nothing lost; else null",
      "accuracy, parameters, nonZeros":
        "{ before, after }; accuracy on the test set, 0 to 1; nonZeros: parameters that are not zero",
      validation: "{ before, after }; accuracy on the held-out training samples; null without --validation",
      "bytes, macs": "{ before, after }; size of the .onnx file, multiply-accumulates a sample",
      usedMacs: "{ before, after }; those by weights that are not zero",
      activationBytes: "{ before, after }; the most memory that values of one sample take at once",
      latencyMs:
        "{ before, after, masked: { b1, b64 } }; medians on one thread of the CPU, zeros left in place with masked",
      skippingZeros:
        "{ b1, b64 }, each { ms, skipped, why }: the same with kernels that skip zeros, whether they were faster, what was measured; null where few weights are zero",
      columns:
        "layers with columns that are zero: how many are in use, and as what the product is written, and why",
      alignedTo: "multiple to which widths of convolutions are rounded up, if that is faster; else 1",
      outputError: "largest difference of an output between shrunk and masked network, relative",
      "seconds, output": "time it took, and the path of the new model; its report.html lies beside the runs",
    },
  })
    .argument(
      "<model>",
      `an .onnx or .flg file, or a built-in model, which is trained first: ${Object.keys(MODELS).join(", ")}`,
    )
    .requiredOption("--data <name>", "a data set by name, an .npz file, or a folder of images")
    .addOption(dataDirOption())
    .addOption(inputScaleOption())
    .option(
      "--method <name>",
      "how weights are driven to zero; see below",
      choice([...METHOD_NAMES, ...POSTERIOR_METHOD_NAMES]),
      "wgsef",
    )
    .option(
      "--fixed <lambda>",
      "hold λ at this value: no ramp and no cut, so that the count need not be met",
      positiveNumber,
    )
    .addOption(keepOption())
    .addOption(budgetOption())
    .addOption(groupsOption())
    .addOption(roundOption())
    .addOption(excludeOption())
    .option(
      "--slab <ratio>",
      "with turbo-vbi and vbi: variance of weights in use, over that of each layer's weights; smaller keeps more, default 2",
      positiveNumber,
    )
    .option(
      "--strength <factor>",
      "with sparse-vd, bc-gnj and vibnet: factor on what noise costs; smaller keeps more, default 1",
      positiveNumber,
    )
    .option(
      "--validation <share>",
      "share of the training samples to hold out, and to measure accuracy on as well: choose settings by it",
      parseHeldOut,
      0,
    )
    .option("--epochs <n>", "epochs of training, at least 2", wholeNumber(2), 12)
    .option(
      "--optimizer <name>",
      "sgd, svrg (variance-reduced, twice the time) or adam; default sgd from scratch, adam for an .onnx file and posteriors",
      choice(OPTIMIZERS),
    )
    .option("--learning-rate <rate>", "default 0.05 with sgd and svrg, 0.001 with adam", positiveNumber)
    .option("--batch <n>", "samples a step", wholeNumber(1), 128)
    .option("--seed <n>", "seed of weights, order and augmentation", wholeNumber(0), 0)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .option("-o, --output <file>", "the new model; default <model>-small.onnx")
    .option("--runs <folder>", "folder of the runs' directories", "runs")
    .option("--resume", "go on where the last compression of this model with this data was stopped")
    .action(async (model: string, options: CompressOptions) => {
      const request = await readRequest(model, options);
      const output = options.output ?? `${modelName(model)}-small.onnx`;
      await runCompression(request, {
        ...options,
        output,
        afterInterrupt: `go on with: ${resumable(process.argv)} --resume`,
      });
    });
}

async function readRequest(model: string, options: CompressOptions): Promise<CompressRequest> {
  const { method, keep, budget, groups, round, exclude, fixed, slab, strength, learningRate } = options;
  const name = `compress-${modelName(model)}-${basename(options.data)}`;
  const common = {
    model,
    data: options.data,
    inputScale: options.inputScale ?? "standard",
    validation: options.validation,
    epochs: options.epochs,
    seed: options.seed,
    batch: options.batch,
    threads: options.threads ?? defaultThreads(),
    device: options.device,
    directory: await numberedDirectory(join(options.runs, name), options),
  };
  if (isPosteriorMethod(method)) {
    const dial = hasSupport(method) ? "slab" : "strength";
    const other = Object.entries({ keep, budget, groups, round, exclude, fixed }).find(
      ([, v]) => v !== undefined,
    );
    if (other)
      throw new InvalidArgumentError(
        `--${other[0]} is about groups, and ${method} leaves as many weights as the data need; --${dial} moves that`,
      );
    if ((dial === "slab" ? strength : slab) !== undefined)
      throw new InvalidArgumentError(`--${dial} is what moves ${method}`);
    const { optimizer = "adam" } = options;
    if (optimizer !== "adam")
      throw new InvalidArgumentError(`${method} trains deviations beside weights, which needs adam`);
    return { ...common, method, slab, strength, optimizer, learningRate: learningRate ?? 0.001 };
  }
  if (slab !== undefined || strength !== undefined)
    throw new InvalidArgumentError(`--slab and --strength go with ${POSTERIOR_METHOD_NAMES.join(", ")}`);
  const whole = methodOf(method).reference === "whole";
  requireSize(options, { orNeither: whole });
  const optimizer = options.optimizer ?? (Object.hasOwn(MODELS, model) ? "sgd" : "adam");
  return {
    ...common,
    method,
    groups: await readGroups(groups),
    exclude,
    budget: budget !== undefined ? { within: budget } : { keep: keep ?? 1 },
    round,
    optimizer,
    learningRate: learningRate ?? (optimizer === "adam" ? 0.001 : 0.05),
    fixedLambda: fixed,
  };
}

export interface CompressionRun extends JsonOption {
  output: string;
  dataDir?: string;
  resume?: boolean;
  /** What to do after Ctrl-C. */
  afterInterrupt: string;
}

/** Compresses with progress on stderr, writes model and report, and prints the table. */
export async function runCompression(
  request: CompressRequest,
  { output, dataDir, resume, json, afterInterrupt }: CompressionRun,
): Promise<void> {
  await checkWritable(output, request.model);
  const interrupt = onInterrupt("stopping after this step");
  let display = trainingDisplay({ name: "training", epochs: request.epochs });
  try {
    const compression = await compress(request, {
      ...downloadProgress(),
      dataDir,
      resume,
      output,
      signal: interrupt.signal,
      warn: (message) => note(`note: ${message}`),
      onStage: (stage) => {
        display.end();
        display = trainingDisplay({ name: "training", epochs: request.epochs });
        note(stage);
      },
      onStep: ({ step, steps, loss }) => display.step(step, steps, loss),
      onEpoch: (line) => display.epoch(line),
    });
    display.end();
    if (!compression) {
      const message = `stopped; ${afterInterrupt}`;
      note(message);
      if (json) emit({ json }, { error: message }, "");
      process.exitCode = INTERRUPTED;
      return;
    }
    const report = await save(compression, request);
    emit(
      { json },
      compression.result,
      `${resultTable(compression.result)}\n\nmodel  ${output}${compression.deviations ? `, its posterior in ${posteriorPath(output)}` : ""}\nreport ${report}`,
    );
  } finally {
    display.end();
    interrupt.dispose();
  }
}

async function save(
  { onnx, deviations, result, runs }: Compression,
  { directory }: CompressRequest,
): Promise<string> {
  await writeWhole(result.output, onnx);
  if (deviations) await savePosterior(result.output, deviations);
  const report = join(directory, "report.html");
  await writeWhole(report, await compressionReport(result, runs));
  await writeWhole(join(directory, "result.json"), `${JSON.stringify(result, undefined, 2)}\n`);
  return report;
}

function parseHeldOut(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 0.9))
    throw new InvalidArgumentError("expected a share from 0 to 0.9, such as 0.1");
  return value;
}

/** The command line as it was typed, so that it can be typed again. */
function resumable(argv: readonly string[]): string {
  return shellLine(["filigree", ...argv.slice(2).filter((a) => a !== "--resume")]);
}
