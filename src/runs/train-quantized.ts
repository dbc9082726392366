import type { Scale, Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import { exportModel } from "../engine/onnx/export.ts";
import { importModel } from "../engine/onnx/import.ts";
import type { SessionOptions } from "../engine/session.ts";
import { classification, classificationSource, fittingTemperature } from "../nn/classification.ts";
import type { StepProgress } from "../nn/trainer.ts";
import { train } from "../nn/trainer.ts";
import { Problem } from "../problem.ts";
import type { PackOptions } from "../sparsity/encoding/packed-model.ts";
import { quantizeModel } from "../sparsity/encoding/packed-model.ts";
import { createQuantizedTraining } from "../sparsity/encoding/quantized-training.ts";

export interface QuantizedTrainingOptions extends SessionOptions {
  epochs: number;
  /** Of Adam, down a cosine. Default .001. */
  learningRate?: number;
  /** Samples a step. Default 128. */
  batch?: number;
  /** Of the order of the samples. Default 0. */
  seed?: number;
  onStep?: (progress: StepProgress) => void;
}

/** A classifier that was trained as a file will hold it. */
export interface QuantizedModel {
  model: Graph;
  /** For `packModel`, which then loses nothing any more. */
  steps: Map<string, number>;
}

/**
 * Quantises a classifier as `packModel` does, and trains it on with weights that stay quantised (see `createQuantizedTraining`). The
 * model that was given is left as it is.
 */
export async function trainQuantized(
  model: Graph,
  quantization: PackOptions,
  split: Split,
  scale: Scale,
  { epochs, learningRate = 0.001, batch = 128, seed = 0, onStep, device, threads }: QuantizedTrainingOptions,
): Promise<QuantizedModel> {
  if (batch > split.labels.length)
    throw new Problem(
      `a batch of ${batch} is larger than the ${split.labels.length} training samples; choose a smaller batch`,
    );
  const onnx = exportModel(model);
  const quantized = quantizeModel(onnx, quantization);
  const trained = importModel(onnx, { batch, keepPads: true });
  const session = { device, threads };
  const temperature = await fittingTemperature(model, split, scale, session);
  await train(
    trained,
    classification({ temperature }),
    classificationSource(trained, split, scale, { seed }),
    {
      ...session,
      epochs,
      learningRate,
      optimizer: { kind: "adam" },
      schedule: { kind: "cosine" },
      // What does not train, such as statistics of batch norms, is quantised once.
      sparsifier: createQuantizedTraining(
        new Map([...quantized].filter(([name]) => trained.parameters.has(name))),
      ),
      onStep,
    },
  );
  const steps = new Map<string, number>();
  for (const [name, { step }] of quantized) if (step !== undefined) steps.set(name, step);
  return { model: trained, steps };
}
