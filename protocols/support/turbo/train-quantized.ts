import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import type { PackOptions } from "../../../src/sparsity/encoding/packed-model.ts";
import { quantizeModel } from "../../../src/sparsity/encoding/packed-model.ts";
import type { Quantized } from "../../../src/sparsity/encoding/quantize.ts";
import { clusteredValues } from "../../../src/sparsity/encoding/quantize.ts";
import { createQuantizedTraining } from "../../../src/sparsity/encoding/quantized-training.ts";
import { foldConstants } from "../../../src/sparsity/fold-constants.ts";
import { findWeights } from "../../../src/sparsity/lines.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import { keptResult } from "../jobs.ts";
import type { NoiseJob } from "./compress-by-noise.ts";
import type {
  CompressedResult,
  DenseJob,
  MagnitudeJob,
  Stage,
  TurboJob,
  TurboResult,
} from "./compress-images.ts";
import { imagesOf, JOBS, scheduleOf } from "./compress-images.ts";
import type { NarrowingJob } from "./compress-narrowing.ts";
import { trainAdam } from "./mnist-small.ts";
import { stepsOf } from "./ways-to-store.ts";

/** What trained weights are to be: multiples of posterior steps, or as many bits as `packModel` is given, or so many shared values a layer. */
export type Quantization = { share: number } | { bits: number } | { values: number };

/** Trains a kept network on with its weights as a file will hold them. */
export interface QuantizedJob {
  kind: "quantized";
  network: DenseJob | TurboJob | MagnitudeJob | NoiseJob | NarrowingJob;
  quantization: Quantization;
  stage: Stage;
}

export interface QuantizedResult {
  onnx: Uint8Array;
  /** For `packModel`. */
  steps: Map<string, number>;
}

export async function trainQuantizedJob({
  network,
  quantization,
  stage,
}: QuantizedJob): Promise<QuantizedResult> {
  const kept = (await keptResult<CompressedResult & Partial<TurboResult>>(network, JOBS))!;
  const dense = network.kind === "dense" ? network : network.dense;
  const data = await imagesOf(dense);
  const onnx = exportModel(shrinkZeros(foldConstants(importModel(kept.model)).graph).graph);
  const model = importModel(onnx, { batch: dense.batch });
  const quantized =
    "values" in quantization
      ? sharedValues(model, quantization.values)
      : quantizeModel(onnx, optionsOf(quantization, kept.sigmas));
  await trainAdam(model, data, {
    ...stage,
    seed: dense.seed + 4000,
    schedule: scheduleOf(stage),
    sparsifier: createQuantizedTraining(quantized),
  });
  const steps = [...quantized].flatMap(([name, { step }]) =>
    step === undefined ? [] : [[name, step] as const],
  );
  return { onnx: exportModel(model), steps: new Map(steps) };
}

function optionsOf(
  quantization: Exclude<Quantization, { values: number }>,
  sigmas: TurboResult["sigmas"] | undefined,
): PackOptions {
  return "bits" in quantization ? quantization : { steps: stepsOf(sigmas!, quantization.share) };
}

/** Deep Compression (Han, Mao and Dally 2016): the weights in use of each layer share a few values. */
function sharedValues(
  model: ReturnType<typeof importModel>,
  count: number,
): Map<string, Pick<Quantized, "values" | "step">> {
  return new Map(
    findWeights(model).map(({ parameter }) => {
      const weights = model.parameters.get(parameter)!.data as Float32Array;
      return [parameter, { values: clusteredValues(weights, count) }];
    }),
  );
}
