import { stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { holdOut } from "../data/hold-out.ts";
import type { LoadOptions } from "../data/load.node.ts";
import type { Graph } from "../engine/graph.ts";
import { exportModel } from "../engine/onnx/export.ts";
import { sizeOf } from "../engine/tensor.ts";
import { classification, classificationSource, evaluateClassifier } from "../nn/classification.ts";
import type { EarlyStoppingOptions } from "../nn/early-stopping.ts";
import { bestEpoch, outOfPatience, restoreWeights } from "../nn/early-stopping.ts";
import type { EpochRecord, StepProgress, TrainOptions } from "../nn/trainer.ts";
import { train } from "../nn/trainer.ts";
import { Problem } from "../problem.ts";
import { foldConstants } from "../sparsity/fold-constants.ts";
import { patternReport } from "../sparsity/pattern-report.ts";
import { shrinkZeros } from "../sparsity/shrink-zeros.ts";
import type { RankTraining } from "../sparsity/spectral/rank-methods.ts";
import type { ShrunkTraining } from "../sparsity/train-shrinking.ts";
import { trainShrinking } from "../sparsity/train-shrinking.ts";
import { survivingDeviations } from "../sparsity/turbo-vbi/deviations.ts";
import { loadBest, saveBest } from "./checkpoint.node.ts";
import { defaultThreads, softwareVersions } from "./environment.node.ts";
import { readBytes } from "./files.node.ts";
import { SCALE_KEY, scaleFor } from "./input-scale.ts";
import { loadDataFor } from "./load-data.node.ts";
import { loadModel } from "./load-model.node.ts";
import { savePosterior } from "./posterior-file.node.ts";
import type { Recipe } from "./recipe.ts";
import { completeRecipe, parseRecipe } from "./recipe.ts";
import type { OpenOptions, RunDirectory } from "./run-directory.node.ts";
import { withRunDirectory } from "./run-directory.node.ts";
import { createRunLowMemory } from "./run-low-memory.ts";
import { createRunPosterior } from "./run-posterior.ts";
import type { MetricsLine, RunFootprint, RunResult } from "./run-result.ts";
import { startRun } from "./run-sparsifier.ts";
import { requireSameOutputs } from "./same-outputs.ts";

export interface RunOptions extends LoadOptions, OpenOptions {
  onStep?: (progress: StepProgress) => void;
  onEpoch?: (line: MetricsLine) => void;
  /** Once aborted, the run saves a checkpoint after the step at hand and stops. */
  signal?: AbortSignal;
}

/**
 * Trains what the recipe asks for in the run directory `path`: recipe.yaml, metrics.jsonl, checkpoints/, and at the end
 * model.onnx and result.json. With a sparsifier model.onnx is the shrunk network, and trained.onnx the same with its
 * zeros in place; with posteriors their deviations lie beside it (see `posteriorPath`). Throws a `Problem`, and writes no
 * model.onnx, where the two do not compute the same. A process that is killed at any moment loses the steps since its last
 * checkpoint; with `resume` the run then ends in the same weights, bit by bit, as if nothing had happened.
 */
export async function executeRun(given: Recipe, path: string, options: RunOptions = {}): Promise<RunResult> {
  const recipe = completeRecipe({ ...given, versions: softwareVersions() });
  const { batch, seed } = recipe;
  const data = holdOut(await loadDataFor(recipe.model, recipe.data, options), recipe.validation, seed);
  const loaded = await loadModel(recipe.model, { batch, seed, data });
  const { graph, method, outcomes } = startRun(loaded.graph, recipe);
  const posterior =
    recipe.posterior &&
    createRunPosterior(graph, recipe.posterior, { samples: data.train.labels.length, seed });
  const scale = scaleFor(recipe.inputScale, data);
  const session = { device: recipe.device, threads: recipe.threads };
  const source = classificationSource(graph, data.train, scale, { seed, augment: recipe.augment });
  if (source.stepsPerEpoch === 0)
    throw new Problem(
      `a batch of ${batch} is larger than the ${data.train.labels.length} training samples of ${data.name}; choose a smaller batch`,
    );
  const wanted = recipe.epochs * source.stepsPerEpoch;
  const lowMemory = recipe.lowMemory && createRunLowMemory(graph, recipe.lowMemory, { steps: wanted, seed });
  for (const caution of lowMemory?.cautions?.(wanted) ?? [])
    options.warn?.(`${recipe.lowMemory!.method}: ${caution}`);

  return await withRunDirectory(path, recipe, options, async (directory) => {
    const clock = startClock(directory);
    let steps = directory.resumed?.snapshot.progress.step ?? 0;
    const evaluate = async (model: Graph): Promise<Record<string, number>> => {
      const test = await evaluateClassifier(model, data.test, scale, session);
      const figures = { accuracy: test.accuracy, testLoss: test.loss };
      if (!data.validation) return figures;
      const held = await evaluateClassifier(model, data.validation, scale, session);
      return { validationAccuracy: held.accuracy, validationLoss: held.loss, ...figures };
    };
    const checkpoints = join(path, "checkpoints");
    const stopping = stoppingOf(recipe);
    /** The epoch whose weights the model is to have, where that need not be the last one. */
    const bestOf = (history: readonly EpochRecord[]) =>
      stopping && recipe.earlyStopping!.restoreBest ? bestEpoch(history, stopping) : undefined;
    const common: Omit<TrainOptions, "sparsifier" | "evaluate"> = {
      ...recipe,
      ...session,
      clipNorm: recipe.clipNorm ?? undefined,
      stopWhen: stopping && ((history) => outOfPatience(history, stopping)),
      save: async (take) => {
        const snapshot = take();
        const { history, progress } = snapshot;
        const isBest = progress.stepInEpoch === 0 && bestOf(history) === history.length - 1;
        // Before the checkpoint, so that a run that goes on from there has it.
        if (isBest) await saveBest(checkpoints, snapshot);
        await directory.save(snapshot);
      },
      resume: directory.resumed?.snapshot,
      signal: options.signal,
      onStep: (progress) => {
        steps = progress.step;
        options.onStep?.(progress);
      },
      onEpoch: async (record) => {
        const line = { ...record, seconds: clock() };
        await directory.append(line);
        options.onEpoch?.(line);
      },
    };
    const whole = posterior ?? lowMemory;
    const training: Promise<ShrunkTraining> = whole
      ? train(graph, classification(recipe), source, {
          ...common,
          sparsifier: whole,
          evaluate: () => evaluate(graph),
        }).then((trained) => ({ ...trained, sparsifier: undefined }))
      : trainShrinking(graph, classification(recipe), source, {
          ...common,
          sparsifier: method,
          shrinkWhileTraining: recipe.sparsifier?.shrinkWhileTraining,
          evaluate,
        });
    const { history, finished, sparsifier } = await training.catch((error) => {
      throw withCheckpoint(error, directory);
    });
    const best = finished ? bestOf(history) : undefined;
    if (best !== undefined) restoreWeights(graph, await loadBest(checkpoints, best));
    const last = history.at(best ?? -1);
    const result: RunResult = {
      name: recipe.name,
      finished,
      epochs: history.length,
      ...(best !== undefined && { bestEpoch: best + 1 }),
      steps,
      seconds: clock(),
      metrics: { ...(last && { loss: last.loss }), ...last?.metrics },
      sparsity: recipe.sparsifier && {
        layers: outcomes ?? sparsifier!.outcomes(),
        commit: sparsifier?.commit() ?? null,
      },
      ...(posterior && { patterns: patternReport(graph), commit: posterior.commit() }),
      ...(lowMemory && { footprint: footprintOf(lowMemory, graph, steps) }),
    };
    if (finished) {
      if (recipe.sparsifier || posterior)
        await directory.write("trained.onnx", modelFile(graph, recipe, scale));
      const pruned = posterior ? foldConstants(graph).graph : graph;
      const small = sparsifier || posterior ? shrinkZeros(pruned) : undefined;
      if (small) await requireSameOutputs(graph, small.graph, data.test, scale);
      await directory.write("model.onnx", modelFile(small?.graph ?? graph, recipe, scale));
      if (posterior && small)
        await savePosterior(
          join(path, "model.onnx"),
          survivingDeviations(posterior.posteriors()!, {
            original: graph,
            shrunk: small.graph,
            kept: small.kept,
          }),
        );
      await directory.write("result.json", `${JSON.stringify(result, undefined, 2)}\n`);
    }
    return result;
  });
}

function stoppingOf({ earlyStopping }: Recipe): EarlyStoppingOptions | undefined {
  if (!earlyStopping) return undefined;
  const { metric, patience } = earlyStopping;
  return { metric, patience, best: metric === "validationLoss" ? "least" : "greatest" };
}

function footprintOf({ footprint, visits }: RankTraining, graph: Graph, steps: number): RunFootprint {
  const held = footprint();
  const parameters = [...graph.parameters.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return {
    ...held,
    parameters,
    effectiveSteps: (steps * held.trainable) / parameters,
    ...(visits && { visits: visits(steps) }),
    peak: process.resourceUsage().maxRSS * 1024,
  };
}

function modelFile(graph: Graph, recipe: Recipe, scale: object): Uint8Array {
  return exportModel(graph, {
    metadata: {
      [SCALE_KEY]: JSON.stringify(scale),
      "filigree.data": recipe.data,
      "filigree.run": recipe.name,
    },
  });
}

/** Seconds that the run has taken, earlier parts included. */
function startClock({ lines }: RunDirectory): () => number {
  const before = lines.at(-1)?.seconds ?? 0;
  const start = performance.now();
  return () => Math.round(before * 1000 + performance.now() - start) / 1000;
}

/** Names the checkpoint that a failed run leaves. */
function withCheckpoint(error: unknown, directory: RunDirectory): unknown {
  if (!(error instanceof Problem)) return error;
  const path = directory.lastCheckpoint();
  return new Problem(
    `${error.message}; ${path ? `the last good checkpoint is ${path}` : "there is no checkpoint yet"}`,
  );
}

/** The recipe in a file, whose run gets a folder in `runs`; or the recipe of a run's directory, and that directory. */
export async function findRun(source: string, runs: string): Promise<{ recipe: Recipe; directory: string }> {
  const isRun = (await stat(source).catch(() => undefined))?.isDirectory() ?? false;
  const file = isRun ? join(source, "recipe.yaml") : source;
  if (![".yaml", ".yml", ".json"].includes(extname(file)))
    throw new Problem(`${file}: a recipe is a .yaml file, or the directory of a run`);
  if (isRun && !(await stat(file).catch(() => undefined)))
    throw new Problem(`${source} is not the directory of a run: it has no recipe.yaml`);
  const text = new TextDecoder().decode(await readBytes(file));
  const recipe = parseRecipe(text, file, { name: basename(file, extname(file)), threads: defaultThreads() });
  return { recipe, directory: isRun ? source : join(runs, recipe.name) };
}
