import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Graph } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import { formatCount, significant } from "../runs/format.ts";
import { measureLatency } from "../runs/latency.ts";
import { loadModelFile } from "../runs/load-model.node.ts";
import { accountModel } from "../sparsity/accounting.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit, wholeNumber } from "./command.ts";
import { dimensionOption, MAX_THREADS } from "./options.ts";
import { note } from "./progress.ts";
import { table } from "./table.ts";

interface BenchOptions extends JsonOption {
  batch: number[];
  dimension?: Record<string, number>;
  threads: number;
  runs: number;
}

export function benchCommand(): Command {
  return createCommand("bench", {
    summary: "compare the latency of models, run in turns so that noise falls on all of them alike",
    examples: ["filigree bench model.onnx model-small.onnx"],
    keys: {
      "threads, runs": "threads, and the least number of runs of each model and batch",
      models:
        "[{ model, parameters, macs, latencyMs: { <batch>: median }, ratio: { <batch>: to the first model } }]",
    },
  })
    .argument("<models...>", ".onnx or .flg files; the first is the reference")
    .option("--batch <list>", "batch sizes", parseBatches, [1, 64])
    .addOption(dimensionOption())
    .option("--threads <n>", "threads of one model", wholeNumber(1, MAX_THREADS), 1)
    .option("--runs <n>", "least number of runs", wholeNumber(1), 50)
    .action(async (paths: string[], options: BenchOptions) => {
      const { dimension: dimensions } = options;
      const graphs: Graph[] = [];
      for (const path of paths) graphs.push((await loadModelFile(path, { dimensions })).graph);
      graphs.forEach((g, i) => {
        if (g.inputs.length === 0)
          throw new Problem(`${paths[i]} has no inputs; there is nothing to run it on`);
      });
      const shape = String(graphs[0].types.get(graphs[0].inputs[0])!.shape.slice(1));
      graphs.forEach((g, i) => {
        const own = String(g.types.get(g.inputs[0])!.shape.slice(1));
        if (own !== shape)
          throw new Problem(
            `${paths[i]} takes [batch, ${own}], ${paths[0]} takes [batch, ${shape}]; compare models of one task`,
          );
      });
      const times: Record<string, number[]> = {};
      for (const batch of options.batch) {
        note(`timing ${paths.length} models at batch ${batch} …`);
        times[batch] = await measureLatency(graphs, {
          batch,
          threads: options.threads,
          runs: options.runs,
        });
      }
      const models = paths.map((model, i) => {
        const { parameters, macs } = accountModel(graphs[i]).total;
        const pick = (f: (times: number[]) => number) =>
          Object.fromEntries(options.batch.map((b) => [b, f(times[b])]));
        return { model, parameters, macs, latencyMs: pick((t) => t[i]), ratio: pick((t) => t[i] / t[0]) };
      });
      const right = (heading: string) => ({ heading, align: "right" as const });
      const columns = [
        { heading: "model" },
        right("parameters"),
        right("MACs"),
        ...options.batch.flatMap((b) => [right(`batch ${b}`), right("ratio")]),
      ];
      const rows = models.map((m) => [
        m.model,
        formatCount(m.parameters),
        formatCount(m.macs),
        ...options.batch.flatMap((b) => [`${significant(m.latencyMs[b])} ms`, m.ratio[b].toFixed(2)]),
      ]);
      emit(options, { threads: options.threads, runs: options.runs, models }, table(columns, rows));
    });
}

function parseBatches(text: string): number[] {
  const list = text.split(",").map(Number);
  if (!list.every((n) => Number.isInteger(n) && n >= 1))
    throw new InvalidArgumentError("expected batch sizes such as 1,64");
  return list;
}
