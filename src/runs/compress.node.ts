import { join } from "node:path";
import { holdOut } from "../data/hold-out.ts";
import type { LoadOptions } from "../data/load.node.ts";
import { loadDataset } from "../data/load.node.ts";
import type { Graph } from "../engine/graph.ts";
import { exportModel } from "../engine/onnx/export.ts";
import { evaluateClassifier, fittingTemperature } from "../nn/classification.ts";
import { MODELS } from "../nn/models/index.ts";
import type { StepProgress } from "../nn/trainer.ts";
import { Problem } from "../problem.ts";
import { accountModel } from "../sparsity/accounting.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import type { KeepCounts } from "./budget.ts";
import type { Size } from "./compression-size.node.ts";
import { createSize } from "./compression-size.node.ts";
import { executeRun } from "./execute-run.node.ts";
import type { FastestForm } from "./fastest-form.ts";
import { fastestForm } from "./fastest-form.ts";
import type { InputScale } from "./input-scale.ts";
import { scaleFor } from "./input-scale.ts";
import { loadModel } from "./load-model.node.ts";
import type { MethodName } from "./methods.ts";
import { methodOf } from "./methods.ts";
import type { Recipe, SparsifierRecipe } from "./recipe.ts";
import { readRecipe } from "./recipe.ts";
import type { MetricsLine } from "./run-result.ts";
import { startRun } from "./run-sparsifier.ts";

export interface CompressRequest {
  /** A built-in model, which is trained first, or the path of an .onnx file. */
  model: string;
  data: string;
  inputScale: InputScale;
  method: MethodName;
  /** What a group is. Default filters. */
  groups?: GroupChoice;
  /** Groups to keep: a share of every layer's, counts by layer, or as many as a budget for the whole network allows. */
  budget: { keep: number | KeepCounts } | { within: string };
  /** Every layer keeps a multiple of this many groups, or all. Default 1. */
  round?: number;
  /** Share of the training samples that is held out, see `holdOut`. Default 0. */
  validation?: number;
  epochs: number;
  seed: number;
  batch: number;
  threads: number;
  /** `svrg`: SGD along variance-reduced gradients. */
  optimizer: "sgd" | "svrg" | "adam";
  learningRate: number;
  /** One λ throughout instead of a growing one and a cut. */
  fixedLambda?: number;
  /** Folder of the two training runs. */
  directory: string;
}

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
export interface CompressResult extends Omit<FastestForm, "final" | "cost"> {
  model: string;
  data: string;
  method: string;
  /** Kind of group; `custom` for lists made by hand. */
  groups: string;
  /** Groups asked for, by layer; null where a budget left it to training. */
  requested: KeepCounts | null;
  /** The budget in its own words; null where groups were counted. */
  budget: string | null;
  kept: KeepCounts;
  natural: KeepCounts;
  /** Accuracy on the test set right before and right after groups were cut by force; null where none had to be. */
  commit: BeforeAfter | null;
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
  const data = holdOut(await loadDataset(request.data, options), request.validation ?? 0, request.seed);
  const scale = scaleFor(request.inputScale, data);
  const load = async (path: string) => (await loadModel(path, { data, seed: request.seed })).graph;
  const original = await load(request.model);
  const size = await createSize(original, request);
  // What training will refuse, it refuses here, before the dense network is trained.
  startRun(original, recipeOf(request, "sparse", await size(original), 1));

  const builtIn = Object.hasOwn(MODELS, request.model);
  const fresh = methodOf(request.method).reference === "fresh";
  const temperature =
    builtIn || fresh
      ? 1
      : await fittingTemperature(original, data.train, scale, { threads: request.threads });
  const train = async (kind: "dense" | "sparse", wanted: Size) => {
    const path = join(request.directory, kind);
    const { finished, ...result } = await executeRun(recipeOf(request, kind, wanted, temperature), path, {
      ...options,
      otherRecipe: OTHER_REQUEST,
    });
    return finished ? { path, result } : undefined;
  };
  if (builtIn) options.onStage?.("training the dense network");
  const dense = builtIn ? await train("dense", {}) : undefined;
  if (builtIn && !dense) return undefined;
  const before = dense ? await load(join(dense.path, "model.onnx")) : original;
  const wanted = await size(before, options.resume ? join(request.directory, "sparse") : undefined);
  const asked = wanted.keep
    ? Object.entries(wanted.keep).map(([name, k]) => `${name}=${k}`)
    : [`a budget of ${wanted.budget}`];
  options.onStage?.(`training it down to ${asked.join(", ")}`);
  const sparse = await train("sparse", wanted);
  if (!sparse) return undefined;
  const masked = await load(join(sparse.path, "trained.onnx"));
  const shrunk = await load(join(sparse.path, "model.onnx"));

  options.onStage?.("measuring");
  const { final, cost, ...measured } = await fastestForm({ before, masked, shrunk }, data.test, scale);
  const accuracy = async (graph: Graph, split = data.test) =>
    (await evaluateClassifier(graph, split, scale, { threads: request.threads })).accuracy;
  const costBefore = accountModel(before).total;
  const outcomes = sparse.result.sparsity!.layers;
  const counts = (pick: (o: (typeof outcomes)[number]) => number): KeepCounts =>
    Object.fromEntries(outcomes.map((o) => [o.name, pick(o)]));
  const { commit } = sparse.result.sparsity!;
  const forced = outcomes.some((o) => o.forced > 0);
  return {
    model: final,
    runs: { ...(dense && { dense: dense.path }), sparse: sparse.path },
    result: {
      model: request.model,
      data: data.name,
      method: request.method,
      groups: typeof request.groups === "object" ? "custom" : (request.groups ?? "filter"),
      requested: wanted.keep ?? null,
      budget: "within" in request.budget ? request.budget.within : null,
      kept: counts((o) => o.natural - o.forced),
      natural: counts((o) => o.natural),
      commit: forced && commit ? { before: commit.before.accuracy, after: commit.after.accuracy } : null,
      accuracy: { before: await accuracy(before), after: await accuracy(final) },
      validation: data.validation
        ? { before: await accuracy(before, data.validation), after: await accuracy(final, data.validation) }
        : null,
      parameters: { before: costBefore.parameters, after: cost.parameters },
      nonZeros: { before: costBefore.nonZeros, after: cost.nonZeros },
      bytes: { before: exportModel(before).length, after: exportModel(final).length },
      macs: { before: costBefore.macs, after: cost.macs },
      ...measured,
      seconds: (performance.now() - start) / 1000,
      output: options.output,
    },
  };
}

/**
 * For the envelopes, selection ramps λ from nearly nothing to where the proximal step is about to become hard thresholding. With SGD that
 * is at αλ = 1; with Adam at αλ = h, the root mean square of a group's gradients, which is seldom above .01.
 */
export function rampOf({
  method,
  optimizer,
  learningRate,
}: Pick<CompressRequest, "method" | "optimizer" | "learningRate">): Partial<SparsifierRecipe> {
  if (methodOf(method).options.lambdaEnd !== undefined) return {};
  return optimizer === "adam"
    ? { lambdaStart: 1e-5 / learningRate, lambdaEnd: 0.01 / learningRate }
    : { lambdaStart: 0.004 / learningRate, lambdaEnd: 0.5 / learningRate };
}

function recipeOf(
  request: CompressRequest,
  kind: "dense" | "sparse",
  size: Size,
  temperature: number,
): Recipe {
  const { model, data, inputScale, epochs, seed, batch, threads, learningRate } = request;
  const [warmup, select] = [0.17, 0.5];
  const sparsifier: Partial<SparsifierRecipe> = {
    method: request.method,
    groups: request.groups,
    ...size,
    round: request.round,
    ...(request.fixedLambda !== undefined && { mode: { kind: "fixed", lambda: request.fixedLambda } }),
    warmup,
    select,
    ...rampOf(request),
    varianceReduction: request.optimizer === "svrg",
  };
  return readRecipe(
    {
      name: kind,
      model,
      data,
      validation: request.validation ?? 0,
      inputScale,
      epochs,
      seed,
      batch,
      threads,
      optimizer: { kind: request.optimizer === "svrg" ? "sgd" : request.optimizer },
      learningRate,
      temperature,
      schedule: { kind: "cosine", flat: warmup + select },
      ...(kind === "sparse" && { sparsifier }),
    },
    { name: kind, threads },
    (path, reason) => {
      throw new Problem(`${path.join(".")}: ${reason}`);
    },
  );
}
