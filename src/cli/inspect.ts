import { basename } from "node:path";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { formatBytes, formatCount, formatShare, significant } from "../runs/format.ts";
import type { ModelInspection, SetInspection } from "../runs/inspect-file.node.ts";
import type { EnergyCosts } from "../sparsity/energy.ts";
import { estimateEnergy } from "../sparsity/energy.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit, wholeNumber } from "./command.ts";
import { readGroups } from "./groups.ts";
import { dimensionOption } from "./options.ts";
import { table } from "./table.ts";

interface InspectOptions extends JsonOption {
  groups?: string | true;
  dimension?: Record<string, number>;
  energy?: EnergyCosts;
  latency?: number | true;
}

export function inspectCommand(): Command {
  return createCommand("inspect", {
    summary: "show a model layer by layer: shape, parameters, zeros, operations, bytes",
    examples: [
      "filigree inspect model.onnx",
      "filigree inspect encoder.onnx --dimension sequence=128",
      "filigree inspect encoder.onnx --groups head",
      "filigree inspect model.onnx --latency 64",
    ],
    keys: {
      model: "path of the model",
      fileBytes: "size of the file",
      "inputs, outputs": "list of { name, dtype, shape }, for one sample",
      layers: "list of { name, op, shape, parameters, sparsity, macs, bytes, groups, sharedWith, latencyMs }",
      total: "{ parameters, sparsity, macs, bytes } of the whole model",
      activationBytes: "the most memory that values of one sample take at once",
      energy: "picojoules a sample, an estimate; null without --energy",
      "…shape": "of the layer's output, for one sample",
      "…sparsity": "share of the parameters that are exactly zero, 0 to 1",
      "…macs": "multiply-accumulates for one sample",
      "…bytes": "memory of the weights",
      "…groups": "filters or neurons that --keep can choose among; null where the layer cannot shrink",
      "…sharedWith": "the layer whose choice this one follows, e.g. behind a residual sum; else null",
      "…latencyMs": "milliseconds of the layer alone, on one thread; null without --latency",
      "kind, sets":
        "with --groups instead: the kind, and a list of { name, layers, groups, weights, parameters, macs, removable }",
      "…parameters, macs": "what the model saves when one of the groups goes alone: [least, most]",
      "…removable":
        "whether zero groups leave the file; otherwise they stay in place as zeros, but for whole channels",
    },
  })
    .argument("<model>", "an .onnx or .flg file")
    .addOption(dimensionOption())
    .option(
      "--energy <costs>",
      "estimate energy from what your machine spends, in picojoules: mac=4.6,byte=160 for each multiply-accumulate and each byte of weights",
      parseEnergy,
    )
    .option(
      "--groups [kind]",
      "the groups that --keep can choose among, and what each costs: filter if not given, else a kind or lists as for --groups of compress",
    )
    .option(
      "--latency [batch]",
      "time every layer alone, in ONNX Runtime on one thread, at this batch; 1 if not given",
      wholeNumber(1),
    )
    .action(async (path: string, options: InspectOptions) => {
      const { inspectFile, inspectGroups } = await import("../runs/inspect-file.node.ts");
      if (options.groups !== undefined) {
        const other = options.energy ? "energy" : options.latency ? "latency" : undefined;
        if (other)
          throw new InvalidArgumentError(
            `--${other} is about the whole model and --groups about its groups; give one of them`,
          );
        const kind = options.groups === true ? "filter" : options.groups;
        const sets = await inspectGroups(path, await readGroups(kind), options.dimension);
        emit(options, { model: path, kind, sets }, describeGroups(sets, kind));
        return;
      }
      const latencyBatch = options.latency === true ? 1 : options.latency;
      const found = await inspectFile(path, { dimensions: options.dimension, latencyBatch });
      const energy = options.energy ? estimateEnergy(found.total, options.energy) : null;
      emit(options, { model: path, ...found, energy }, describe(basename(path), found, energy));
    });
}

function describe(name: string, found: ModelInspection, energy: number | null): string {
  const { fileBytes, inputs, outputs, layers, total, activationBytes } = found;
  const shapes = (list: typeof inputs) =>
    list.map((v) => `${v.name} ${v.dtype} [${v.shape.join(", ")}]`).join("; ");
  const cells = (cost: typeof total) => [
    formatCount(cost.parameters),
    cost.parameters ? formatShare(cost.sparsity) : "",
    formatCount(cost.macs),
    formatBytes(cost.bytes),
  ];
  const timed = layers.some((l) => l.latencyMs !== null);
  return [
    `${name}: ${formatBytes(fileBytes)}`,
    `in   ${shapes(inputs)}`,
    `out  ${shapes(outputs)}`,
    "",
    table(
      [
        { heading: "layer" },
        { heading: "operator" },
        { heading: "output" },
        ...["parameters", "zeros", "MACs", "bytes", ...(timed ? ["alone"] : [])].map((heading) => ({
          heading,
          align: "right" as const,
        })),
        { heading: "groups" },
      ],
      [
        ...layers.map((l) => [
          l.name,
          l.op,
          l.shape.join("×"),
          ...cells(l),
          ...(timed ? [`${significant(l.latencyMs!)} ms`] : []),
          l.groups === null ? "" : l.sharedWith === null ? l.groups : `${l.groups}, with ${l.sharedWith}`,
        ]),
        ["total", "", "", ...cells(total), ...(timed ? [""] : []), ""],
      ],
    ),
    "",
    `at most ${formatBytes(activationBytes)} of inputs and intermediate values at once, for one sample`,
    ...(energy === null ? [] : [`about ${significant(energy / 1e6)} µJ a sample: an estimate`]),
  ].join("\n");
}

function describeGroups(sets: readonly SetInspection[], kind: string): string {
  const figures = ([low, high]: readonly [number, number]) =>
    low === high ? formatCount(low) : `${formatCount(low)} to ${formatCount(high)}`;
  const right = (heading: string) => ({ heading, align: "right" as const });
  const rows = table(
    [
      { heading: "layer" },
      right("groups"),
      right("weights each"),
      right("parameters saved"),
      right("MACs saved"),
      { heading: "together with" },
    ],
    sets.map((s) => [
      s.name,
      s.groups,
      figures(s.weights),
      figures(s.parameters),
      figures(s.macs),
      s.layers.filter((l) => l !== s.name).join(", "),
    ]),
  );
  const left = kind.endsWith(".json")
    ? "only whole channels of them leave the file"
    : "they stay in the file";
  const note = sets.every((s) => s.removable)
    ? "saved: by one group that goes alone; zero groups leave the file"
    : `saved: by one group, where zeros are skipped; ${left}`;
  return `${rows}\n\n${note}`;
}

function parseEnergy(text: string): EnergyCosts {
  const [, perMac, perByte] = /^mac=(\d*\.?\d+),byte=(\d*\.?\d+)$/.exec(text) ?? [];
  if (perByte === undefined) throw new InvalidArgumentError("expected picojoules, such as mac=4.6,byte=160");
  return { perMac: Number(perMac), perByte: Number(perByte) };
}
