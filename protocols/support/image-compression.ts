import { join } from "node:path";
import type { Graph } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { classification, evaluateClassifier } from "../../src/nn/classification.ts";
import type { TrainingSource } from "../../src/nn/trainer.ts";
import type { KeepCounts } from "../../src/runs/budget.ts";
import { countsWithin, parseBudget, planBudget } from "../../src/runs/budget.ts";
import { writeWhole } from "../../src/runs/files.node.ts";
import type { MethodName } from "../../src/runs/methods.ts";
import { methodOf } from "../../src/runs/methods.ts";
import { readRecipe } from "../../src/runs/recipe-schema.ts";
import { startRun } from "../../src/runs/run-sparsifier.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { findGroups } from "../../src/sparsity/groups/kinds.ts";
import type { LayerOutcome } from "../../src/sparsity/k-anneal.ts";
import { shrinkZeros } from "../../src/sparsity/shrink-zeros.ts";
import { trainShrinking } from "../../src/sparsity/train-shrinking.ts";
import type { ImageTask } from "./image-networks.ts";
import {
  BATCH,
  denseNetwork,
  FLAT,
  imagesOf,
  LEARNING_RATE,
  sourceOf,
  WEIGHT_DECAY,
  WORK,
} from "./image-networks.ts";
import type { ImageRun } from "./images-results.ts";

/** Batches in rounds of so many steps, which take the place of epochs; one pass over the samples follows the other. */
export function inRounds(source: TrainingSource, steps: number): TrainingSource {
  return {
    stepsPerEpoch: steps,
    *feeds(round, from) {
      let at = round * steps + from;
      while (at < (round + 1) * steps)
        for (const feeds of source.feeds(Math.floor(at / source.stepsPerEpoch), at % source.stepsPerEpoch)) {
          if (at === (round + 1) * steps) return;
          at++;
          yield feeds;
        }
    },
  };
}

/**
 * Compression, the same for every method: rounds of so many steps take the place of epochs, for λ grows after each. The
 * rate stays what it is while groups are selected, and falls from then on.
 */
export const COMPRESSION = { rounds: 10, steps: 28, select: 0.4, learningRate: 0.02 };

/**
 * Ranges of λ that are not the method's own. Behind batch norms all groups of a layer are nearly equal, and below αλ = 1 the
 * envelope shrinks those that stay along with the others before it can tell them apart (wgsef.md F2). Chosen on the validation
 * images of Fashion-MNIST, seed 0: αλ = 1 throughout, instead of growing to it, which had done badly on the test images.
 */
export const LAMBDA: Partial<Record<MethodName, [start: number, end: number]>> = {
  wgsef: [1 / COMPRESSION.learningRate, 1 / COMPRESSION.learningRate],
};

export interface ImageJob {
  network: string;
  method: MethodName;
  /** Share of the multiply–accumulates that is asked for; absent: nothing is cut. */
  macs?: number;
  seed: number;
  /** Everything else that a result depends on. */
  settings: typeof COMPRESSION & { task: ImageTask; lambda?: number[]; validate: boolean };
}

/** Where the network of a job is kept. */
export function fileOf({
  network,
  method,
  macs,
  seed,
}: Pick<ImageRun, "network" | "method" | "macs" | "seed">): string {
  return join(WORK, `${[network, method, macs, seed].filter((part) => part !== undefined).join("-")}.onnx`);
}

/**
 * What is kept of each layer for this share of the multiply–accumulates, by the trained weights: the same for every method,
 * but for linear layers without batch norm, which slimming cannot judge.
 */
function shapeOf(dense: Graph, macs: number, onScales = false): KeepCounts {
  const sets = findGroups(dense);
  const counts = countsWithin(dense, sets, planBudget(dense, sets, parseBudget(`macs=${macs}`)));
  return Object.fromEntries(Object.entries(counts).filter(([name]) => !onScales || !name.startsWith("fc")));
}

/** Compresses a trained network by one method and measures it on the test images, or on the validation images. */
export async function compressOnce(job: ImageJob): Promise<ImageRun["result"]> {
  const { network, method, macs, seed, settings } = job;
  const { task, rounds, steps, select, lambda, validate } = settings;
  const data = await imagesOf(task);
  const dense = await denseNetwork(task, data, seed);
  const used = process.cpuUsage();
  const { options, reference, onScales } = methodOf(method);
  const fresh = reference === "fresh";
  // What cuts once, or never, need not wait for it.
  const atOnce = options.penalty === "none" && !options.gradual;
  const learningRate = fresh ? LEARNING_RATE : settings.learningRate;
  const recipe = readRecipe(
    {
      model: network,
      data: task.data,
      seed,
      batch: BATCH,
      threads: 1,
      learningRate,
      weightDecay: WEIGHT_DECAY,
      schedule: { kind: "cosine", flat: fresh ? FLAT : select, floor: 0 },
      sparsifier: {
        method,
        keep: macs === undefined ? 1 : shapeOf(dense, macs, onScales),
        warmup: 0,
        select: atOnce ? 1 / rounds : select,
        weightDecay: WEIGHT_DECAY,
        ...(lambda && { lambdaStart: lambda[0], lambdaEnd: lambda[1] }),
      },
    },
    { name: network, threads: 1 },
    (path, reason) => {
      throw new Error(`${path.join(".")}: ${reason}`);
    },
  );
  const { graph, method: sparsifier, outcomes } = startRun(dense, recipe);
  const source = sourceOf(graph, data, seed);
  const earlier = fresh ? Math.round((task.epochs * source.stepsPerEpoch) / steps) : 0;
  const training = await trainShrinking(graph, classification(), inRounds(source, steps), {
    ...recipe,
    clipNorm: undefined,
    epochs: earlier + rounds,
    sparsifier,
  });
  const { user, system } = process.cpuUsage(used);
  const { graph: small } = shrinkZeros(graph);
  const layers = outcomes ?? training.sparsifier!.outcomes();
  const sum = (pick: (layer: LayerOutcome) => number) => layers.reduce((n, l) => n + pick(l), 0);
  const file = exportModel(small);
  const asUsual = JSON.stringify(lambda) === JSON.stringify(LAMBDA[method]);
  if (asUsual && !validate) await writeWhole(fileOf(job), file);
  const split = validate ? data.validation! : data.test;
  const { total } = accountModel(small);
  return {
    accuracy: (await evaluateClassifier(small, split, data.scale, { threads: 1 })).accuracy,
    macs: total.macs,
    parameters: total.parameters,
    bytes: file.length,
    groups: sum((l) => l.groups),
    natural: sum((l) => l.natural),
    kept: sum((l) => l.natural - l.forced),
    processorSeconds: (user + system) / 1e6,
  };
}
