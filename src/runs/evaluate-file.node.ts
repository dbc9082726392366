import type { LoadOptions } from "../data/load.node.ts";
import type { Session, SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import type { Evaluation } from "../nn/classification.ts";
import { evaluateSession } from "../nn/classification.ts";
import type { Predictive } from "../nn/predictive.ts";
import { evaluatePredictive } from "../nn/predictive.ts";
import { sampleBatch } from "../nn/sample-batch.ts";
import type { SparsePlan } from "../sparsity/sparse/choose.ts";
import { defaultThreads } from "./environment.node.ts";
import type { InputScale } from "./input-scale.ts";
import { scaleOfFile } from "./input-scale.ts";
import { loadDataFor } from "./load-data.node.ts";
import { loadModelFile } from "./load-model.node.ts";
import { loadPosterior } from "./posterior-file.node.ts";
import { openSkippingZeros } from "./skipping-zeros.ts";

export interface EvaluateFileOptions extends LoadOptions, Pick<SessionOptions, "device" | "threads"> {
  /** What the model takes. Default: what its metadata say, else `standard`. */
  inputScale?: InputScale;
  /** Samples a run; all of them where there are fewer. */
  batch: number;
  /** Networks to draw from the posterior beside the model, seeded. Default 0: the model alone. */
  draws?: number;
  seed?: number;
  /** Run by kernels that skip zeros where that is faster, see `createSparseSession`. Default false. */
  skipZeros?: boolean;
}

export interface FileEvaluation extends Evaluation {
  /** Name of the data set. */
  data: string;
  /** Without the preparation of the data. */
  msPerSample: number;
  batch: number;
  /** What the posterior predicts; null without draws. */
  predictive: Predictive | null;
  /** What skipped its zeros, and how far outputs are from ONNX Runtime's, relative; null where none was to. */
  skippingZeros: { outputError: number; plan: SparsePlan } | null;
}

/** Accuracy, loss, calibration and speed of a classifier in a model file on the test samples of a data set. */
export async function evaluateFile(
  path: string,
  dataset: string,
  {
    batch: largest,
    inputScale,
    threads,
    device,
    draws = 0,
    seed,
    skipZeros = false,
    ...load
  }: EvaluateFileOptions,
): Promise<FileEvaluation> {
  const data = await loadDataFor(path, dataset, load);
  const batch = Math.min(largest, data.test.labels.length);
  const { graph, metadata } = await loadModelFile(path, { batch, data });
  const scale = scaleOfFile(metadata, data, inputScale);
  const deviations = draws > 0 ? await loadPosterior(path, graph) : undefined;
  const skipping = skipZeros
    ? await openSkippingZeros(graph, { batch, threads: threads ?? defaultThreads() })
    : undefined;
  const session = skipping ?? (await createSession(graph, { device, threads }));
  try {
    // The first run allocates memory: it is not part of the time.
    await session.run(sampleBatch(graph, data.test).feeds);
    const timed = withClock(session);
    const evaluation = await evaluateSession(timed, graph, data.test, scale);
    const runs = Math.ceil(evaluation.samples / batch);
    const msPerSample = timed.milliseconds() / (runs * batch);
    const predictive = deviations
      ? await evaluatePredictive(graph, deviations, data.test, scale, { draws, seed, batch, threads, device })
      : null;
    const skippingZeros = skipping ? { outputError: skipping.outputError, plan: skipping.plan } : null;
    return { data: data.name, ...evaluation, msPerSample, batch, predictive, skippingZeros };
  } finally {
    await session.release();
  }
}

function withClock(session: Pick<Session, "run">): Pick<Session, "run"> & { milliseconds(): number } {
  let total = 0;
  return {
    run: async (feeds, fetches) => {
      const start = performance.now();
      const results = await session.run(feeds, fetches);
      total += performance.now() - start;
      return results;
    },
    milliseconds: () => total,
  };
}
