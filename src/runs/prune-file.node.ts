import { exportModel } from "../engine/onnx/export.ts";
import { importModel } from "../engine/onnx/import.ts";
import type { Cost } from "../sparsity/accounting.ts";
import { accountModel } from "../sparsity/accounting.ts";
import { usedMacs } from "../sparsity/pattern-report.ts";
import { parseBudget } from "./budget.ts";
import type { BeforeAfter } from "./compress.node.ts";
import { createSize } from "./compression-size.node.ts";
import { writeWhole } from "./files.node.ts";
import { measureLatency } from "./latency.ts";
import { loadModelFile } from "./load-model.node.ts";
import type { Importance, PruneOptions } from "./prune.ts";
import { pruneModel } from "./prune.ts";
import { requireSameResults } from "./same-outputs.ts";
import { sampleInputs } from "./sample-inputs.ts";

export interface PruneFileOptions extends PruneOptions {
  /** Samples a run that latency is measured at. Default 1. */
  batch?: number;
  /** Lengths of the file's open dimensions, by name. */
  dimensions?: Readonly<Record<string, number>>;
  /** Where the result is written. */
  output: string;
  onStage?: (stage: string) => void;
}

/** What was pruned; as JSON it is what `filigree prune --json` prints. */
export interface PruneResult {
  model: string;
  /** Kind of group; `custom` for lists made by hand. */
  groups: string;
  by: Importance;
  /** The budget in its own words; null where groups were counted. */
  budget: string | null;
  /** What groups were chosen from, with how many there were and how many stay. */
  layers: { name: string; layers: readonly string[]; groups: number; kept: number }[];
  parameters: BeforeAfter;
  /** Parameters that are not exactly zero. */
  nonZeros: BeforeAfter;
  /** Sizes of the .onnx files. */
  bytes: BeforeAfter;
  /** Multiply–accumulates a sample. */
  macs: BeforeAfter;
  /** Those by weights that are not zero. */
  usedMacs: BeforeAfter;
  /** One run at `batch`, on one thread. */
  latencyMs: BeforeAfter;
  batch: number;
  /** Largest difference of an output between the written file and the network with zeros in place, on random inputs, relative. */
  outputError: number;
  seconds: number;
  output: string;
}

/**
 * Prunes a model file, see `pruneModel`; here a budget may also be one of `ms`. Throws a `Problem`, and writes no model,
 * where the smaller network computes something else than the one with zeros in the place of what went.
 */
export async function pruneFile(path: string, options: PruneFileOptions): Promise<PruneResult> {
  const start = performance.now();
  const { groups, exclude, budget, round, by = "l2", batch = 1, dimensions, output, onStage } = options;
  const { graph: model, metadata } = await loadModelFile(path, { batch, dimensions });
  const isTime = budget !== undefined && parseBudget(budget).measure === "ms";
  onStage?.(isTime ? "timing layers" : "choosing groups");
  const timed = isTime
    ? await createSize(model, { method: "magnitude", groups, exclude, round, budget: { within: budget } })
    : undefined;
  const { graph, zeroed, layers } = pruneModel(model, {
    ...options,
    ...(timed && { ...(await timed(model)), budget: undefined, round: undefined }),
  });
  const onnx = exportModel(graph, { metadata: { ...metadata } });
  onStage?.("checking and measuring");
  const written = importModel(onnx, { batch });
  const outputError = await requireSameResults(zeroed, written, Object.values(sampleInputs(zeroed)));
  const [before, after] = await measureLatency([model, written], { batch, threads: 1, runs: 20 });
  const costs = [accountModel(model).total, accountModel(graph).total];
  const both = (pick: (cost: Cost) => number) => ({ before: pick(costs[0]), after: pick(costs[1]) });
  const result: PruneResult = {
    model: path,
    groups: typeof groups === "object" ? "custom" : (groups ?? "filter"),
    by,
    budget: budget ?? null,
    layers: layers.map(({ name, layers, keep }) => ({
      name,
      layers,
      groups: keep.length,
      kept: keep.reduce((sum, stays) => sum + stays, 0),
    })),
    parameters: both((c) => c.parameters),
    nonZeros: both((c) => c.nonZeros),
    bytes: { before: exportModel(model, { metadata: { ...metadata } }).length, after: onnx.length },
    macs: both((c) => c.macs),
    usedMacs: { before: usedMacs(model), after: usedMacs(graph) },
    latencyMs: { before, after },
    batch,
    outputError,
    seconds: (performance.now() - start) / 1000,
    output,
  };
  await writeWhole(output, onnx);
  return result;
}
