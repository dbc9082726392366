import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { createBcGnj } from "../../../src/sparsity/turbo-vbi/baselines/bc-gnj.ts";
import { createSparseVd } from "../../../src/sparsity/turbo-vbi/baselines/sparse-vd.ts";
import { createVibNet } from "../../../src/sparsity/turbo-vbi/baselines/vibnet.ts";
import { keptResult } from "../jobs.ts";
import type { DenseJob, DenseResult, Stage, TurboResult } from "./compress-images.ts";
import { choicesOf, imagesOf, JOBS, scheduleOf, tune } from "./compress-images.ts";
import { trainAdam } from "./mnist-small.ts";

const METHODS = { "sparse-vd": createSparseVd, "bc-gnj": createBcGnj, vibnet: createVibNet };

/** Compresses the dense network by a method that learns how much noise it stands. */
export interface NoiseJob {
  kind: "noise";
  approach: keyof typeof METHODS;
  /** How rows are named. */
  method: string;
  dense: DenseJob;
  /** Factor on what noise costs. */
  strength: number;
  noise: Stage & { annealEpochs: number };
  tune: Stage;
}

export async function compressByNoise(job: NoiseJob): Promise<TurboResult> {
  const start = process.cpuUsage();
  const { approach, strength, noise } = job;
  const { seed, batch } = job.dense;
  const data = await imagesOf(job.dense);
  const dense = await keptResult<DenseResult>(job.dense, JOBS);
  const model = rebatch(importModel(dense!.model), batch);
  const sparsifier = METHODS[approach](model, {
    samples: data.train.labels.length,
    annealEpochs: noise.annealEpochs,
    strength,
    seed,
  });
  await trainAdam(model, data, {
    ...noise,
    seed: seed + 1000,
    schedule: scheduleOf(noise),
    sparsifier,
    onEpoch: ({ epoch, metrics }) => console.error(`epoch ${epoch + 1}: ${JSON.stringify(metrics)}`),
  });
  const { masks, sigmas } = choicesOf(sparsifier.posteriors()!);
  const tuned = await tune(model, data, masks, job.tune, seed + 2000);
  const { user, system } = process.cpuUsage(start);
  return {
    accuracy: { dense: dense!.accuracy, ...tuned },
    model: exportModel(model),
    sigmas,
    processorSeconds: (user + system) / 1e6,
  };
}
