import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { compared } from "../runs/compression-rows.ts";
import { checkWritable } from "../runs/files.node.ts";
import { formatBytes, formatCount, formatSeconds, significant } from "../runs/format.ts";
import type { Importance } from "../runs/prune.ts";
import { IMPORTANCES } from "../runs/prune.ts";
import type { PruneResult } from "../runs/prune-file.node.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, wholeNumber } from "./command.ts";
import { figureTable, right } from "./compression-table.ts";
import {
  budgetOption,
  excludeOption,
  groupsOption,
  keepOption,
  readGroups,
  requireSize,
  roundOption,
} from "./groups.ts";
import { dimensionOption, modelName } from "./options.ts";
import { note } from "./progress.ts";
import { table } from "./table.ts";

interface PruneCommandOptions extends JsonOption {
  keep?: number | Record<string, number>;
  budget?: string;
  groups?: string;
  by: Importance;
  round?: number;
  exclude?: string[];
  seed?: number;
  batch: number;
  dimension?: Record<string, number>;
  output?: string;
}

export function pruneCommand(): Command {
  return createCommand("prune", {
    summary: "cut the least important groups off a network, without data or training",
    examples: [
      "filigree prune model.onnx --budget macs=0.5",
      "filigree prune resnet.onnx --keep 0.5 --round 8 --exclude conv1 -o half.onnx",
      "filigree prune encoder.onnx --dimension sequence=128 --groups head --keep 0.75",
    ],
    keys: {
      "model, output": "paths of the two files",
      "groups, by": "what a group is, and what said which ones go",
      budget: "what the network may cost; null where groups were counted",
      layers:
        "list of { name, layers, groups, kept }: where groups could go, all layers that lose something with one, how many there were and how many are left",
      "parameters, nonZeros": "{ before, after }; nonZeros: parameters that are not zero",
      "bytes, macs": "{ before, after }; size of the .onnx file, multiply-accumulates a sample",
      usedMacs: "{ before, after }; those by weights that are not zero",
      "latencyMs, batch": "{ before, after } of a run of so many samples on one thread",
      outputError:
        "largest difference of an output between the file and the network with zeros in the place of what went, relative",
      seconds: "time it took",
    },
  })
    .argument("<model>", "an .onnx or .flg file")
    .addOption(keepOption())
    .addOption(budgetOption())
    .addOption(groupsOption())
    .option(
      "--by <importance>",
      "what says which groups go first: l2 or l1, the norm of their weights, or random",
      choice(IMPORTANCES),
      "l2",
    )
    .addOption(roundOption())
    .addOption(excludeOption())
    .option("--seed <n>", "of --by random; default 0", wholeNumber(0))
    .option("--batch <n>", "samples a run that latency is measured at", wholeNumber(1), 1)
    .addOption(dimensionOption())
    .option("-o, --output <file>", "the new model; default <model>-pruned.onnx")
    .action(async (model: string, options: PruneCommandOptions) => {
      requireSize(options);
      if (options.seed !== undefined && options.by !== "random")
        throw new InvalidArgumentError("--seed is what --by random draws from");
      const output = options.output ?? `${modelName(model)}-pruned.onnx`;
      await checkWritable(output, model);
      const { pruneFile } = await import("../runs/prune-file.node.ts");
      const result = await pruneFile(model, {
        ...options,
        groups: await readGroups(options.groups),
        dimensions: options.dimension,
        output,
        onStage: note,
      });
      if (result.parameters.after === result.parameters.before)
        note("note: what went stays in the file as zeros; filigree pack stores it without them");
      emit(options, result, describe(result));
    });
}

function describe(result: PruneResult): string {
  const { parameters, nonZeros, macs, usedMacs } = result;
  const scattered = parameters.after - nonZeros.after > parameters.before - nonZeros.before;
  const detail = (...figure: Parameters<typeof compared>) => ({ ...compared(...figure), detail: true });
  const figures = [
    compared("parameters", parameters, formatCount),
    ...(scattered ? [detail("that are not zero", nonZeros, formatCount)] : []),
    compared("bytes on disk", result.bytes, formatBytes),
    compared("multiply-accumulates", macs, formatCount),
    ...(scattered ? [detail("by weights that are not zero", usedMacs, formatCount)] : []),
    compared(`latency, batch ${result.batch}`, result.latencyMs, (ms) => `${significant(ms)} ms`),
  ];
  const byLayer = table(
    [{ heading: "layer" }, right("groups"), right("kept"), { heading: "together with" }],
    result.layers.map(({ name, layers, groups, kept }) => [
      name,
      groups,
      kept,
      layers.filter((l) => l !== name).join(", "),
    ]),
  );
  return [
    figureTable(result.model, figures),
    byLayer,
    `outputs on random inputs differ by ${Number(result.outputError.toPrecision(2))} of the largest from those with zeros in place\ntook ${formatSeconds(result.seconds)}\nmodel ${result.output}`,
  ].join("\n\n");
}
