import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { formatBytes, formatCount, formatShare } from "../runs/format.ts";
import type { PackReport } from "../runs/pack.node.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit } from "./command.ts";
import { table } from "./table.ts";

interface PackOptions extends JsonOption {
  output?: string;
  bits?: number;
  deviations?: number;
}

export function packCommand(): Command {
  return createCommand("pack", {
    summary: "store a model without its zeros, in a file that eval, inspect and bench read",
    examples: [
      "filigree pack model.onnx -o model.flg",
      "filigree pack model.onnx -o model.flg --bits 5",
      "filigree pack lenet-small.onnx --deviations 0.35",
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
      "…error": "what quantising changed, over the weights, both as root mean squares",
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
    .action(async (model: string, options: PackOptions) => {
      if (options.bits !== undefined && options.deviations !== undefined)
        throw new InvalidArgumentError("--bits and --deviations both say how to quantise; give one of them");
      const output = options.output ?? `${model.replace(/\.(onnx|flg)$/, "")}.flg`;
      if (output.endsWith(".onnx"))
        throw new InvalidArgumentError(
          `${output} would be no .onnx file; give a packed model another name, such as .flg`,
        );
      const { checkWritable } = await import("../runs/files.node.ts");
      await checkWritable(output, model);
      const { packFile } = await import("../runs/pack.node.ts");
      const report = await packFile(model, output, options);
      emit(options, { model, output, ...report }, describe(output, report));
    });
}

function describe(
  output: string,
  { bytes, onnxBytes, gzipBytes, restBytes, tensors, unpacked }: PackReport,
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
