import { join } from "node:path";
import { holdOut } from "../../../src/data/hold-out.ts";
import { loadDataset } from "../../../src/data/load.node.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { MODELS } from "../../../src/nn/models/index.ts";
import type { ModelOptions } from "../../../src/nn/models/model.ts";
import { vgg } from "../../../src/nn/models/vgg.ts";
import type { ScheduleSpec } from "../../../src/nn/schedules.ts";
import { foldBatchNorm } from "../../../src/sparsity/fold-batch-norm.ts";
import { findWeights } from "../../../src/sparsity/lines.ts";
import { holdMasks } from "../../../src/sparsity/tickets/hold-masks.ts";
import type { Masks } from "../../../src/sparsity/tickets/masks.ts";
import { magnitudeMasks, weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { createNetworkSurgery } from "../../../src/sparsity/tickets/network-surgery.ts";
import { pruneWhileTraining } from "../../../src/sparsity/tickets/prune-while-training.ts";
import { likelyWeights } from "../../../src/sparsity/turbo-vbi/choose.ts";
import type { Posterior } from "../../../src/sparsity/turbo-vbi/posterior.ts";
import { precisionPrior } from "../../../src/sparsity/turbo-vbi/precision-prior.ts";
import type { PriorSpec } from "../../../src/sparsity/turbo-vbi/priors/kinds.ts";
import type { TurboVbiLayer } from "../../../src/sparsity/turbo-vbi/turbo-vbi.ts";
import { createTurboVbi } from "../../../src/sparsity/turbo-vbi/turbo-vbi.ts";
import { keptResult } from "../jobs.ts";
import { DATA_DIR, ROOT } from "../results.ts";
import type { ImageSet } from "./mnist-small.ts";
import { accuracyOf, trainAdam } from "./mnist-small.ts";

export const JOBS = join(ROOT, "runs", "protocols");

/** Epochs of Adam, down a cosine to a share of the learning rate. */
export interface Stage {
  epochs: number;
  learningRate: number;
  floor: number;
}

/** A network, and what it learns. */
const NETWORKS = {
  "lenet-300-100": { build: MODELS["lenet-300-100"], data: "mnist" },
  lenet: { build: MODELS.lenet, data: "mnist" },
  "small-vgg": { build: smallVgg, data: "cifar10" },
};

/** Six convolutions of 16 to 64 filters and a linear layer: 72,496 weights. */
function smallVgg(options: ModelOptions): Graph {
  return vgg({
    ...options,
    layout: [16, 16, "pool", 32, 32, "pool", 64, 64, "pool"],
    batchNorm: true,
    bias: true,
  });
}

/** Trains the network that all methods start from. Convolutions have taken over their batch norms then. */
export interface DenseJob {
  kind: "dense";
  network: keyof typeof NETWORKS;
  seed: number;
  batch: number;
  stage: Stage;
  /** Share of the training images that accuracies are of, instead of the test set: settings are chosen by these. */
  heldOut?: number;
  /** Share of the training images that there are at all: to see that a protocol runs. */
  only?: number;
  /** Pixels by which training images of MNIST move at most, either way. */
  shift?: number;
}

/** Epochs with posteriors. */
export interface PosteriorStage extends Stage {
  /** Variance of weights in use over that of the layer's weights, where a layer has none of its own. Default 2. */
  slab?: number;
  /** Training images that the likelihood counts for. Default: as many as there are. */
  samples?: number;
  roundEpochs: number;
  annealRounds: number;
}

/** Compresses it. */
export interface TurboJob {
  kind: "turbo";
  method: string;
  dense: DenseJob;
  /** By layer, first to last. */
  priors: PriorSpec[];
  /** Of weights in use, by layer. */
  variances?: number[];
  posteriors: PosteriorStage;
  tune: Stage;
}

/** Cuts the smallest weights of all layers together and trains on: what posteriors are compared with. */
export interface MagnitudeJob {
  kind: "magnitude";
  method: string;
  dense: DenseJob;
  /** Share of the weights that stays. */
  keep: number;
  /** While it trains; without, at once. */
  while?: Stage & { way: keyof typeof WHILE_TRAINING };
  tune: Stage;
}

/** Of the epochs that prune, those in which the mask changes. */
const CHANGING = 0.8;

/** Ways to prune while training, given the steps of an epoch. */
const WHILE_TRAINING = {
  /** After every epoch, ever less at a time (Zhu and Gupta 2017, equation 1). */
  gradual: (keep: number, { epochs }: Stage, steps: number) => {
    const last = Math.ceil(CHANGING * epochs);
    return pruneWhileTraining(
      Array.from({ length: last }, (_, i) => ({
        after: (i + 1) * steps,
        masks: (weights) => magnitudeMasks(weights, (1 - keep) * (1 - (1 - (i + 1) / last) ** 3)),
      })),
    );
  },
  /** Pruned weights go on training and may come back. */
  surgery: (keep: number, { epochs }: Stage, steps: number) =>
    createNetworkSurgery({ keep, until: Math.ceil(CHANGING * epochs) * steps }),
};

export interface DenseResult {
  accuracy: number;
  model: Uint8Array;
}

export interface CompressedResult {
  /** Test accuracy of the dense network, right after pruning, and after fine-tuning. */
  accuracy: { dense: number; pruned: number; tuned: number };
  /** With zeros in the place of pruned weights. */
  model: Uint8Array;
  processorSeconds: number;
}

export interface TurboResult extends CompressedResult {
  /** Posterior standard deviations of the weights in use, by parameter. */
  sigmas: Record<string, Float32Array>;
}

/**
 * The images of a job. Pixels of MNIST go from 0 to 1: one that is always black then says nothing about its weights. Those of
 * CIFAR-10 are mirrored at random.
 */
export async function imagesOf({
  network,
  heldOut = 0,
  only = 0,
  shift = 0,
  seed,
}: DenseJob): Promise<ImageSet> {
  const { data: name } = NETWORKS[network];
  const all = await loadDataset(name, { dataDir: DATA_DIR });
  const data = holdOut({ ...all, train: holdOut(all, only, seed).validation ?? all.train }, heldOut, seed);
  const images = { ...data, test: data.validation ?? data.test };
  return name === "mnist"
    ? { ...images, scale: { mean: [0], std: [1] }, augment: { crop: shift } }
    : { ...images, augment: { flip: true } };
}

export const scheduleOf = ({ floor }: Stage): ScheduleSpec => ({ kind: "cosine", floor });

/** Does a job, in the process that was started for it. */
export function carryOut(job: DenseJob | TurboJob | MagnitudeJob): Promise<DenseResult | CompressedResult> {
  if (job.kind === "dense") return trainDense(job);
  return job.kind === "turbo" ? compressWithPosteriors(job) : compressByMagnitude(job);
}

export async function trainDense(job: DenseJob): Promise<DenseResult> {
  const { network, seed, batch, stage } = job;
  const data = await imagesOf(job);
  const model = NETWORKS[network].build({ inputShape: data.inputShape, classes: 10, seed, batch });
  await trainAdam(model, data, { ...stage, seed, schedule: scheduleOf(stage) });
  return { accuracy: await accuracyOf(model, data), model: exportModel(foldBatchNorm(model)) };
}

async function compressWithPosteriors(job: TurboJob): Promise<TurboResult> {
  const start = process.cpuUsage();
  const { seed, batch } = job.dense;
  const data = await imagesOf(job.dense);
  const dense = await keptResult<DenseResult>(job.dense, JOBS);
  const model = rebatch(importModel(dense!.model), batch);
  const layers = layersOf(model, job);
  const posteriors = await infer(model, data, layers, job.posteriors, { noise: seed, order: seed + 1000 });
  const { masks, sigmas } = choicesOf(posteriors);
  const tuned = await tune(model, data, masks, job.tune, seed + 2000);
  const { user, system } = process.cpuUsage(start);
  return {
    accuracy: { dense: dense!.accuracy, ...tuned },
    model: exportModel(model),
    sigmas,
    processorSeconds: (user + system) / 1e6,
  };
}

async function compressByMagnitude({
  dense: job,
  keep,
  while: pruning,
  tune: stage,
}: MagnitudeJob): Promise<CompressedResult> {
  const start = process.cpuUsage();
  const data = await imagesOf(job);
  const dense = await keptResult<DenseResult>(job, JOBS);
  const model = rebatch(importModel(dense!.model), job.batch);
  if (pruning) {
    const steps = Math.floor(data.train.labels.length / job.batch);
    const sparsifier = WHILE_TRAINING[pruning.way](keep, pruning, steps);
    const schedule = scheduleOf(pruning);
    await trainAdam(model, data, { ...pruning, seed: job.seed + 1000, schedule, sparsifier });
  }
  const names = new Set(findWeights(model).map((w) => w.parameter));
  const weights = new Map([...weightsOf(model)].filter(([name]) => names.has(name)));
  const tuned = await tune(model, data, magnitudeMasks(weights, 1 - keep), stage, job.seed + 2000);
  const { user, system } = process.cpuUsage(start);
  return {
    accuracy: { dense: dense!.accuracy, ...tuned },
    model: exportModel(model),
    processorSeconds: (user + system) / 1e6,
  };
}

/** The layers of a model with what is believed of them before. */
export function layersOf(
  model: Graph,
  { priors, variances }: Pick<TurboJob, "priors" | "variances">,
): TurboVbiLayer[] {
  return findWeights(model).map((layer, i) => ({
    ...layer,
    prior: priors[i],
    precision: variances && precisionPrior(variances[i]),
  }));
}

/** Posteriors of these layers. The model is then that of their means. */
export async function infer(
  model: Graph,
  data: ImageSet,
  layers: readonly TurboVbiLayer[],
  stage: PosteriorStage,
  seeds: { noise: number; order: number },
): Promise<Posterior[]> {
  const { slab, roundEpochs, annealRounds, samples = data.train.labels.length } = stage;
  const turbo = createTurboVbi({ layers, samples, slab, roundEpochs, annealRounds, seed: seeds.noise });
  await trainAdam(model, data, {
    ...stage,
    seed: seeds.order,
    schedule: scheduleOf(stage),
    sparsifier: turbo,
    onEpoch: ({ epoch, metrics }) => console.error(`epoch ${epoch + 1}: ${JSON.stringify(metrics)}`),
  });
  return turbo.posteriors()!;
}

/** What posteriors leave, and the deviations of that. */
export function choicesOf(posteriors: readonly Posterior[]): {
  masks: Masks;
  sigmas: Record<string, Float32Array>;
} {
  const masks: Masks = new Map(posteriors.map((p) => [p.parameter, likelyWeights(p)]));
  const sigmas = Object.fromEntries(
    posteriors.map(({ parameter, sigma }) => [
      parameter,
      sigma.filter((_, i) => masks.get(parameter)![i] === 1),
    ]),
  );
  return { masks, sigmas };
}

/** Sets the weights that masks leave out to zero. */
export function cut(model: Graph, masks: Masks): void {
  for (const [name, mask] of masks) {
    const { data } = model.parameters.get(name)!;
    mask.forEach((alive, i) => {
      if (!alive) data[i] = 0;
    });
  }
}

/** Cuts to the masks and trains what is left; accuracies before and after. */
export async function tune(
  model: Graph,
  data: ImageSet,
  masks: Masks,
  stage: Stage,
  seed: number,
): Promise<{ pruned: number; tuned: number }> {
  cut(model, masks);
  const pruned = await accuracyOf(model, data);
  await trainAdam(model, data, { ...stage, seed, schedule: scheduleOf(stage), sparsifier: holdMasks(masks) });
  return { pruned, tuned: await accuracyOf(model, data) };
}
