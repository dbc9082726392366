import { join } from "node:path";
import { holdOut } from "../data/hold-out.ts";
import type { LoadOptions } from "../data/load.node.ts";
import type { Graph } from "../engine/graph.ts";
import { exportModel } from "../engine/onnx/export.ts";
import { createSession } from "../engine/session.ts";
import { evaluateClassifier, fittingTemperature } from "../nn/classification.ts";
import { MODELS } from "../nn/models/index.ts";
import type { StepProgress } from "../nn/trainer.ts";
import { accountModel } from "../sparsity/accounting.ts";
import { packModel } from "../sparsity/encoding/packed-model.ts";
import type { Commit } from "../sparsity/k-anneal.ts";
import { usedMacs } from "../sparsity/pattern-report.ts";
import type { Deviations } from "../sparsity/turbo-vbi/deviations.ts";
import { paddedDeviations } from "../sparsity/turbo-vbi/deviations.ts";
import type { KeepCounts } from "./budget.ts";
import type { CompressRequest, GroupRequest, Size } from "./compress-request.ts";
import { denseRecipe, groupRecipe, isPosteriorRequest, posteriorRecipe } from "./compress-request.ts";
import { createSize } from "./compression-size.node.ts";
import { executeRun } from "./execute-run.node.ts";
import type { FastestForm } from "./fastest-form.ts";
import { fastestForm } from "./fastest-form.ts";
import { SCALE_KEY, scaleFor } from "./input-scale.ts";
import type { LayerLatency } from "./layer-latency.ts";
import { measureSparseLayers } from "./layer-latency.ts";
import { loadDataFor } from "./load-data.node.ts";
import { loadModel } from "./load-model.node.ts";
import { methodOf } from "./methods.ts";
import type { TimedPattern } from "./pattern-rows.ts";
import { loadPosterior } from "./posterior-file.node.ts";
import type { Recipe } from "./recipe.ts";
import { createRunPosterior } from "./run-posterior.ts";
import type { MetricsLine, RunResult } from "./run-result.ts";
import { startRun } from "./run-sparsifier.ts";

export interface BeforeAfter<T = number> {
  before: T;
  after: T;
}

export interface LayerResult {
  name: string;
  groups: number;
  requested: number;
  kept: number;
  /** Groups that training itself had left when the layer was frozen. */
  natural: number;
}

/** What a compression did; as JSON it is what `filigree compress --json` prints. */
export interface CompressResult extends Omit<FastestForm, "final" | "cost" | "usedMacs"> {
  model: string;
  data: string;
  method: string;
  /** Kind of group; `custom` for lists made by hand, `weight` where posteriors chose. */
  groups: string;
  /** Groups asked for, by layer; null where a budget left it to training. */
  requested: KeepCounts | null;
  /** The budget in its own words; null where groups were counted. */
  budget: string | null;
  kept: KeepCounts;
  natural: KeepCounts;
  /** Accuracy on the test set right before and right after groups were cut by force; null where none had to be. */
  commit: BeforeAfter | null;
  /** Which weights posteriors left of each layer, before anything was shrunk; null where groups went. */
  patterns: TimedPattern[] | null;
  /** Size of the new model as `filigree pack` stores it, with nothing lost; null where groups went. */
  packedBytes: number | null;
  accuracy: BeforeAfter;
  /** Accuracy on the samples that were held out of training; null where none were. */
  validation: BeforeAfter | null;
  parameters: BeforeAfter;
  /** Parameters that are not exactly zero. */
  nonZeros: BeforeAfter;
  /** Sizes of the .onnx files. */
  bytes: BeforeAfter;
  /** Multiply–accumulates a sample. */
  macs: BeforeAfter;
  /** Those by weights that are not zero. */
  usedMacs: BeforeAfter;
  seconds: number;
  output: string;
}

export interface CompressOptions extends LoadOptions {
  resume?: boolean;
  /** Where the result is written. */
  output: string;
  /** Hears of each stage in words, and of every step. */
  onStage?: (stage: string) => void;
  onStep?: (progress: StepProgress) => void;
  onEpoch?: (line: MetricsLine) => void;
  warn?: (message: string) => void;
  signal?: AbortSignal;
}

/** Both training runs, the models they made and the figures: what report and files are written from. */
export interface Compression {
  result: CompressResult;
  model: Graph;
  /** The .onnx file that holds it; figures of bytes are of this one. */
  onnx: Uint8Array;
  /** Of its weights, where they have posteriors. */
  deviations?: Deviations;
  runs: { dense?: string; sparse: string };
}

const OTHER_REQUEST =
  "resume with the options that it was started with, or leave out --resume to start anew in a directory of its own";

/**
 * A network in, a smaller network out: trains it down to exactly the groups asked for, removes what is zero, checks the
 * outputs against the unshrunk network on real inputs, and measures both. Undefined where the signal stopped it; the
 * same call with `resume` goes on.
 *
 * Throws a `Problem`, and writes no model, where the outputs differ.
 */
export async function compress(
  request: CompressRequest,
  options: CompressOptions,
): Promise<Compression | undefined> {
  const start = performance.now();
  const data = holdOut(
    await loadDataFor(request.model, request.data, options),
    request.validation ?? 0,
    request.seed,
  );
  const scale = scaleFor(request.inputScale, data);
  const { threads, device = "cpu" } = request;
  const load = async (path: string) => (await loadModel(path, { data, seed: request.seed })).graph;
  const original = await load(request.model);
  const size = isPosteriorRequest(request) ? undefined : await createSize(original, request);
  const sparseRecipe = (start: string, wanted: Size, temperature: number) =>
    isPosteriorRequest(request)
      ? posteriorRecipe(request, start, temperature)
      : groupRecipe(request, wanted, temperature);
  // What training will refuse, it refuses here, before the dense network is trained.
  const trial = sparseRecipe(request.model, (await size?.(original)) ?? {}, 1);
  startRun(original, trial);
  if (trial.posterior)
    createRunPosterior(original, trial.posterior, { samples: data.train.labels.length, seed: request.seed });

  if (device !== "cpu") await (await createSession(original, { threads, device })).release();

  const builtIn = Object.hasOwn(MODELS, request.model);
  const fresh = !isPosteriorRequest(request) && methodOf(request.method).reference === "fresh";
  const temperature =
    builtIn || fresh ? 1 : await fittingTemperature(original, data.train, scale, { threads, device });
  const train = async (recipe: Recipe) => {
    const path = join(request.directory, recipe.name);
    const { finished, ...result } = await executeRun(recipe, path, {
      ...options,
      otherRecipe: OTHER_REQUEST,
    });
    return finished ? { path, result } : undefined;
  };
  if (builtIn) options.onStage?.("training the dense network");
  const dense = builtIn ? await train(denseRecipe(request)) : undefined;
  if (builtIn && !dense) return undefined;
  const trained = dense ? join(dense.path, "model.onnx") : request.model;
  const before = dense ? await load(trained) : original;
  const earlier = options.resume ? join(request.directory, "sparse") : undefined;
  const wanted = (await size?.(before, earlier)) ?? {};
  options.onStage?.(aimOf(wanted));
  const sparse = await train(sparseRecipe(trained, wanted, temperature));
  if (!sparse) return undefined;
  const small = join(sparse.path, "model.onnx");
  const masked = await load(join(sparse.path, "trained.onnx"));
  const shrunk = await load(small);
  const deviations = isPosteriorRequest(request) ? await loadPosterior(small, shrunk) : undefined;
  const lost = sparse.result.patterns?.filter((l) => l.nonZeros === 0).map((l) => l.name) ?? [];
  if (lost.length > 0)
    options.warn?.(
      `no weight of ${lost.join(", ")} is left; a smaller slab keeps more, and so do more samples and longer training`,
    );

  options.onStage?.("measuring");
  const {
    final,
    cost,
    usedMacs: used,
    ...measured
  } = await fastestForm({ before, masked, shrunk }, data.test, scale, {
    sameNames: deviations !== undefined,
  });
  const accuracy = async (graph: Graph, split = data.test) =>
    (await evaluateClassifier(graph, split, scale, { threads, device })).accuracy;
  const costBefore = accountModel(before).total;
  const onnx = exportModel(final, {
    metadata: {
      [SCALE_KEY]: JSON.stringify(scale),
      "filigree.data": data.name,
      "filigree.method": request.method,
    },
  });
  return {
    model: final,
    onnx,
    deviations: deviations && paddedDeviations(deviations, final),
    runs: { ...(dense && { dense: dense.path }), sparse: sparse.path },
    result: {
      model: request.model,
      data: data.name,
      method: request.method,
      ...(isPosteriorRequest(request)
        ? weightsLeft(sparse.result, packModel(onnx).bytes.length, await measureSparseLayers(masked, 64))
        : groupsLeft(sparse.result, request, wanted)),
      accuracy: { before: await accuracy(before), after: await accuracy(final) },
      validation: data.validation
        ? { before: await accuracy(before, data.validation), after: await accuracy(final, data.validation) }
        : null,
      parameters: { before: costBefore.parameters, after: cost.parameters },
      nonZeros: { before: costBefore.nonZeros, after: cost.nonZeros },
      bytes: { before: exportModel(before).length, after: onnx.length },
      macs: { before: costBefore.macs, after: cost.macs },
      usedMacs: { before: usedMacs(before), after: used },
      ...measured,
      seconds: (performance.now() - start) / 1000,
      output: options.output,
    },
  };
}

/** In words, what the second training is about to do. */
function aimOf({ keep, budget }: Size): string {
  if (keep)
    return `training it down to ${Object.entries(keep)
      .map(([name, k]) => `${name}=${k}`)
      .join(", ")}`;
  return budget
    ? `training it down to a budget of ${budget}`
    : "training posteriors of its weights, whose cost the loss contains";
}

type Left = Pick<
  CompressResult,
  "groups" | "requested" | "budget" | "kept" | "natural" | "commit" | "patterns" | "packedBytes"
>;

function groupsLeft({ sparsity }: Outcome, { groups, budget }: GroupRequest, { keep }: Size): Left {
  const { layers, commit } = sparsity!;
  const counts = (pick: (o: (typeof layers)[number]) => number): KeepCounts =>
    Object.fromEntries(layers.map((o) => [o.name, pick(o)]));
  const forced = layers.some((o) => o.forced > 0);
  return {
    groups: typeof groups === "object" ? "custom" : (groups ?? "filter"),
    requested: keep ?? null,
    budget: "within" in budget ? budget.within : null,
    kept: counts((o) => o.natural - o.forced),
    natural: counts((o) => o.natural),
    commit: forced && commit ? accuraciesOf(commit) : null,
    patterns: null,
    packedBytes: null,
  };
}

function weightsLeft(
  { patterns, commit }: Outcome,
  packedBytes: number,
  latencies: ReadonlyMap<string, LayerLatency>,
): Left {
  const kept = Object.fromEntries(patterns!.map((l) => [l.name, l.nonZeros]));
  return {
    groups: "weight",
    requested: null,
    budget: null,
    kept,
    natural: kept,
    commit: accuraciesOf(commit!),
    patterns: patterns!.map((l) => ({ ...l, latencyMs: latencies.get(l.name) ?? null })),
    packedBytes,
  };
}

const accuraciesOf = ({ before, after }: Commit): BeforeAfter => ({
  before: before.accuracy,
  after: after.accuracy,
});

type Outcome = Omit<RunResult, "finished">;
