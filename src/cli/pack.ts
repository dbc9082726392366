import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Device } from "../engine/session.ts";
import { formatBytes, formatCount, formatShare } from "../runs/format.ts";
import type { InputScale } from "../runs/input-scale.ts";
import type { PackReport } from "../runs/pack.node.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit, positiveNumber, wholeNumber } from "./command.ts";
import { downloadProgress } from "./downloads.ts";
import { dataDirOption, deviceOption, inputScaleOption, threadsOption } from "./options.ts";
import { trainingDisplay } from "./run.ts";
import { table } from "./table.ts";

interface PackOptions extends JsonOption {
  output?: string;
  bits?: number;
  deviations?: number;
  data?: string;
  dataDir?: string;
  inputScale?: InputScale;
  epochs?: number;
  learningRate?: number;
  batch?: number;
  seed?: number;
  threads?: number;
  device?: Device;
}

export function packCommand(): Command {
  return createCommand("pack", {
    summary: "store a model without its zeros, in a file that eval, inspect and bench read",
    examples: [
      "filigree pack model.onnx -o model.flg",
      "filigree pack model.onnx -o model.flg --bits 5",
      "filigree pack lenet-small.onnx --deviations 0.35",
      "filigree pack lenet-small.onnx --bits 3 --data mnist --epochs 5",
    ],
    keys: {
      "model, output": "paths of the two files",
      "bytes, onnxBytes": "sizes of the packed file and of the .onnx file",
      gzipBytes: "what gzip makes of the same .onnx file, quantised weights included",
      restBytes: "of the packed file: graph, names, biases, headers, and what is unpacked",
      unpacked: "names of weights that gzip stores in fewer bytes than a code, since they repeat themselves",
      tensors:
        "list of { name, shape, weights, nonZeros, runs, turned, index, indexBits, values, valueBits, indexBitsBy, error }",
      "…turned": "whether lines are columns",
      "…index, values": "codes that were the shortest; adaptive is an arithmetic code of both",
      "…indexBits, valueBits": "what they take, codebook included; not whole numbers in the adaptive code",
      "…indexBitsBy": "what several codes take for the index: { runs, csr, bitmap }",
      "…error": "what quantising changed, over the weights, both as root mean squares; 0 after --epochs",
      accuracy: "{ before, after } on the test set, 0 to 1; null without --data",
    },
  })
    .argument("<model>", "an .onnx or .flg file")
    .option("-o, --output <file>", "the packed file; the model's name with .flg if not given")
    .option(
      "--bits <n>",
      "quantise weights, so that the values of those in use take at most n bits on average; without it nothing is lost",
      parseBits,
    )
    .option(
      "--deviations <share>",
      "quantise weights by the posterior beside the model: rounding changes them by this share of a tensor's median standard deviation, e.g. 0.35",
      parseShare,
    )
    .option("--data <name>", "classified samples to measure accuracy on: a data set, an .npz file, a folder")
    .addOption(dataDirOption())
    .addOption(inputScaleOption())
    .option(
      "--epochs <n>",
      "with --data, train quantised weights on, as the file holds them; default 0",
      wholeNumber(0),
    )
    .option("--learning-rate <rate>", "of Adam, with --epochs; default 0.001", positiveNumber)
    .option("--batch <n>", "samples a step, with --epochs; default 128", wholeNumber(1))
    .option("--seed <n>", "order of samples, with --epochs; default 0", wholeNumber(0))
    .addOption(threadsOption())
    .addOption(deviceOption())
    .action(async (model: string, options: PackOptions) => {
      if (options.bits !== undefined && options.deviations !== undefined)
        throw new InvalidArgumentError("--bits and --deviations both say how to quantise; give one of them");
      if (options.epochs && options.data === undefined)
        throw new InvalidArgumentError("--epochs trains on --data; say which data");
      if (options.epochs && options.bits === undefined && options.deviations === undefined)
        throw new InvalidArgumentError("--epochs trains quantised weights; give --bits or --deviations");
      const { learningRate, batch, seed } = options;
      const [idle] =
        Object.entries({ "learning-rate": learningRate, batch, seed }).find(([, v]) => v !== undefined) ?? [];
      if (idle && !options.epochs)
        throw new InvalidArgumentError(`--${idle} is for training; say how long with --epochs`);
      const output = options.output ?? `${model.replace(/\.(onnx|flg)$/, "")}.flg`;
      if (output.endsWith(".onnx"))
        throw new InvalidArgumentError(
          `${output} would be no .onnx file; give a packed model another name, such as .flg`,
        );
      const { checkWritable } = await import("../runs/files.node.ts");
      await checkWritable(output, model);
      const { packFile } = await import("../runs/pack.node.ts");
      const display = trainingDisplay({ name: "quantised weights", epochs: options.epochs ?? 0 });
      const report = await packFile(model, output, {
        ...downloadProgress(),
        ...options,
        onStep: ({ step, steps, loss }) => display.step(step, steps, loss),
      }).finally(display.end);
      emit(options, { model, output, ...report }, describe(output, report));
    });
}

function describe(
  output: string,
  { bytes, onnxBytes, gzipBytes, restBytes, tensors, unpacked, accuracy }: PackReport,
): string {
  const each = (bits: number, nonZeros: number) => (nonZeros ? (bits / nonZeros).toFixed(2) : "–");
  const rest = `graph, names, biases${unpacked.length > 0 ? `, ${formatCount(unpacked.length)} of the weights` : ""}`;
  const right = (heading: string) => ({ heading, align: "right" as const });
  const rows = tensors.map((t) => [
    t.name,
    formatCount(t.weights),
    formatShare(t.nonZeros / t.weights),
    ...[t.indexBits, t.indexBitsBy.runs, t.indexBitsBy.csr, t.indexBitsBy.bitmap, t.valueBits].map((bits) =>
      each(bits, t.nonZeros),
    ),
    t.error ? formatShare(t.error) : "",
    formatBytes(Math.ceil((t.indexBits + t.valueBits) / 8)),
  ]);
  return [
    table(
      [
        { heading: "weights" },
        right("all"),
        right("in use"),
        right("index"),
        right("runs"),
        right("CSR"),
        right("bitmap"),
        right("value"),
        right("error"),
        right("size"),
      ],
      [...rows, [rest, "", "", "", "", "", "", "", "", formatBytes(restBytes)]],
    ),
    "",
    ...(unpacked.length > 0 ? [`gzip stores ${unpacked.join(", ")} in fewer bytes than a code would`] : []),
    "bits a weight in use: index in the file, as runs, as CSR, as bitmap; value",
    `${output}: ${formatBytes(bytes)}, 1/${(onnxBytes / bytes).toFixed(1)} of ${formatBytes(onnxBytes)}; gzip makes ${formatBytes(gzipBytes)} of the same weights`,
    ...(accuracy
      ? [`test accuracy ${formatShare(accuracy.after)}; of the given model ${formatShare(accuracy.before)}`]
      : []),
  ].join("\n");
}

function parseShare(text: string): number {
  const share = Number(text);
  if (!(share > 0 && share <= 2))
    throw new InvalidArgumentError("expected a number above 0 and at most 2, such as 0.35");
  return share;
}

function parseBits(text: string): number {
  const bits = Number(text);
  if (!(bits >= 1 && bits <= 16))
    throw new InvalidArgumentError("expected a number from 1 to 16, such as 5 or 3.5");
  return bits;
}
