import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Graph } from "../engine/graph.ts";
import type { Device } from "../engine/session.ts";
import { Problem } from "../problem.ts";
import { formatCount, significant } from "../runs/format.ts";
import type { LatencyModel } from "../runs/latency.ts";
import { measureLatency } from "../runs/latency.ts";
import { loadModelFile } from "../runs/load-model.node.ts";
import type { SkippingSession } from "../runs/skipping-zeros.ts";
import { openSkippingZeros } from "../runs/skipping-zeros.ts";
import { accountModel } from "../sparsity/accounting.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit, wholeNumber } from "./command.ts";
import { deviceOption, dimensionOption, MAX_THREADS } from "./options.ts";
import { note } from "./progress.ts";
import { skippedInWords } from "./skipped.ts";
import { table } from "./table.ts";

interface BenchOptions extends JsonOption {
  batch: number[];
  dimension?: Record<string, number>;
  threads: number;
  device: Device;
  runs: number;
  skipZeros?: boolean;
}

export function benchCommand(): Command {
  return createCommand("bench", {
    summary: "compare the latency of models, run in turns so that noise falls on all of them alike",
    examples: [
      "filigree bench model.onnx model-small.onnx",
      "filigree bench model-small.onnx --skip-zeros --json",
    ],
    keys: {
      "threads, device, runs": "threads, device, and the least number of runs of each model and batch",
      models:
        "[{ model, parameters, macs, latencyMs: { <batch>: median }, ratio: { <batch>: to the first model }, skippingZeros }]",
      "…skippingZeros":
        "with --skip-zeros, the same by kernels that skip zeros: { <batch>: { latencyMs, ratio, outputError, plan } }, else null",
      "…outputError": "largest difference of an output from ONNX Runtime's, relative",
      "…plan":
        "{ layers, why, … }: what runs where, as createSparseSession takes it; layers: [{ layer, density, run, why, … }], run: dense or sparse",
    },
  })
    .argument("<models...>", ".onnx or .flg files; the first is the reference")
    .option("--batch <list>", "batch sizes", parseBatches, [1, 64])
    .addOption(dimensionOption())
    .option("--threads <n>", "threads of one model", wholeNumber(1, MAX_THREADS), 1)
    .addOption(deviceOption())
    .option("--runs <n>", "least number of runs", wholeNumber(1), 50)
    .option("--skip-zeros", "time every model once more, by kernels that skip zeros where that is faster")
    .action(async (paths: string[], options: BenchOptions) => {
      const { dimension: dimensions, threads, device, runs, skipZeros = false } = options;
      if (skipZeros && device !== "cpu")
        throw new InvalidArgumentError("--skip-zeros is for the CPU; leave out --device");
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
      const skipping: Record<string, SkippingSession[]> = {};
      for (const batch of options.batch) {
        if (skipZeros) note(`looking for the fastest way to skip zeros at batch ${batch} …`);
        skipping[batch] = [];
        for (const graph of skipZeros ? graphs : [])
          skipping[batch].push(await openSkippingZeros(graph, { batch, threads }));
        note(`timing ${graphs.length + skipping[batch].length} models at batch ${batch} …`);
        const sparse = skipping[batch].map((session, i): LatencyModel => {
          return { graph: graphs[i], open: async () => session };
        });
        times[batch] = await measureLatency([...graphs, ...sparse], { batch, threads, device, runs });
      }
      const byBatch = <T>(f: (batch: number) => T) => Object.fromEntries(options.batch.map((b) => [b, f(b)]));
      const models = paths.map((model, i) => {
        const { parameters, macs } = accountModel(graphs[i]).total;
        const timeOf = (b: number, at = i) => ({
          latencyMs: times[b][at],
          ratio: times[b][at] / times[b][0],
        });
        return {
          model,
          parameters,
          macs,
          latencyMs: byBatch((b) => timeOf(b).latencyMs),
          ratio: byBatch((b) => timeOf(b).ratio),
          skippingZeros: skipZeros
            ? byBatch((b) => {
                const { outputError, plan } = skipping[b][i];
                return { ...timeOf(b, graphs.length + i), outputError, plan };
              })
            : null,
        };
      });
      const right = (heading: string) => ({ heading, align: "right" as const });
      const columns = [
        { heading: "model" },
        right("parameters"),
        right("MACs"),
        ...options.batch.flatMap((b) => [right(`batch ${b}`), right("ratio")]),
      ];
      const figures = (of: (batch: number) => { latencyMs: number; ratio: number }) =>
        options.batch.flatMap((b) => [`${significant(of(b).latencyMs)} ms`, of(b).ratio.toFixed(2)]);
      const rows = models.flatMap(({ skippingZeros, ...m }) => [
        [
          m.model,
          formatCount(m.parameters),
          formatCount(m.macs),
          ...figures((b) => ({ latencyMs: m.latencyMs[b], ratio: m.ratio[b] })),
        ],
        ...(skippingZeros ? [["  zeros skipped", "", "", ...figures((b) => skippingZeros[b])]] : []),
      ]);
      const reasons = models.flatMap(({ model, skippingZeros }) =>
        Object.entries(skippingZeros ?? {}).map(
          ([b, { plan }]) => `${model}, batch ${b}: ${skippedInWords(plan)}`,
        ),
      );
      emit(
        options,
        { threads, device, runs, models },
        [table(columns, rows), ...(reasons.length ? ["", ...reasons] : [])].join("\n"),
      );
    });
}

function parseBatches(text: string): number[] {
  const list = text.split(",").map(Number);
  if (!list.every((n) => Number.isInteger(n) && n >= 1))
    throw new InvalidArgumentError("expected batch sizes such as 1,64");
  return list;
}
