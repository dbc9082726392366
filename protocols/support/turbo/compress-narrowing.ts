import type { Graph } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { foldConstants } from "../../../src/sparsity/fold-constants.ts";
import { findWeights } from "../../../src/sparsity/lines.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import type { Masks } from "../../../src/sparsity/tickets/masks.ts";
import { keptResult } from "../jobs.ts";
import type {
  DenseJob,
  DenseResult,
  PosteriorStage,
  Stage,
  TurboJob,
  TurboResult,
} from "./compress-images.ts";
import { choicesOf, cut, imagesOf, infer, JOBS, layersOf, tune } from "./compress-images.ts";

/**
 * Compresses a convolutional network in two goes, because a step with posteriors is dear while it is wide. After the first
 * go the neurons and filters without influence are taken out; the second starts from what is left.
 */
export interface NarrowingJob extends Pick<TurboJob, "priors" | "variances"> {
  kind: "narrowing";
  method: string;
  dense: DenseJob;
  /** The first `skip` layers, of few weights and many outputs, have no posteriors yet. */
  wide: PosteriorStage & { skip: number };
  narrow: PosteriorStage;
  tune: Stage;
}

export async function compressNarrowing(job: NarrowingJob): Promise<TurboResult> {
  const start = process.cpuUsage();
  const { seed, batch } = job.dense;
  const data = await imagesOf(job.dense);
  const dense = await keptResult<DenseResult>(job.dense, JOBS);
  const whole = rebatch(importModel(dense!.model), batch);
  const wide = layersOf(whole, job).slice(job.wide.skip);
  const first = await infer(whole, data, wide, job.wide, { noise: seed, order: seed + 1000 });
  const middle = narrowed(whole, choicesOf(first).masks);
  const second = await infer(middle, data, layersOf(middle, job), job.narrow, {
    noise: seed + 1,
    order: seed + 2000,
  });
  const { masks, sigmas } = choicesOf(second);
  const small = narrowed(middle, masks);
  const tuned = await tune(small, data, inUse(small), job.tune, seed + 3000);
  const { user, system } = process.cpuUsage(start);
  return {
    accuracy: { dense: dense!.accuracy, ...tuned },
    model: exportModel(small),
    sigmas,
    processorSeconds: (user + system) / 1e6,
  };
}

/** The network without the weights that are off, and without neurons and filters that then have no influence. */
function narrowed(model: Graph, masks: Masks): Graph {
  cut(model, masks);
  return shrinkZeros(foldConstants(model).graph).graph;
}

/** Masks of the weights that are not zero. */
function inUse(model: Graph): Masks {
  return new Map(
    findWeights(model).map(({ parameter }) => [
      parameter,
      Uint8Array.from(model.parameters.get(parameter)!.data, (w) => Number(w !== 0)),
    ]),
  );
}
