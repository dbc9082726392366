import type { Augment } from "../data/batches.ts";
import { allocateBatch, batchesInOrder, batchesOfEpoch, stepsPerEpoch } from "../data/batches.ts";
import type { Scale, Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import { input } from "../engine/graph.ts";
import { correctCount, crossEntropy, div } from "../engine/operators/index.ts";
import { rebatch } from "../engine/replay.ts";
import type { Session, SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { TrainingSource } from "./trainer.ts";
import type { Objective } from "./training-step.ts";
import { batchOf } from "./training-step.ts";

/** Cross-entropy of the first output (logits [batch, classes]) against int32 labels fed as `labels`; metric `accuracy`. */
export function classification({ labelSmoothing = 0 }: { labelSmoothing?: number } = {}): Objective {
  return ([logits], graph) => {
    const [batch] = logits.shape;
    const labels = input(graph, "labels", [batch], { dtype: "int32" });
    return {
      loss: crossEntropy(logits, labels, { labelSmoothing }),
      metrics: { trainAccuracy: div(correctCount(logits, labels), batch) },
    };
  };
}

/** Shuffled batches of labelled samples for a model's first input. */
export function classificationSource(
  model: Graph,
  split: Split,
  scale: Scale,
  { seed, augment }: { seed: number; augment?: Augment },
): TrainingSource {
  const batch = allocateBatch(batchOf(model), split.inputs.shape.slice(1), "int32");
  const feeds: Record<string, Tensor> = { [model.inputs[0]]: batch.inputs, labels: batch.labels };
  return {
    stepsPerEpoch: stepsPerEpoch(split, batchOf(model)),
    *feeds(epoch, from) {
      for (const _ of batchesOfEpoch(split, { batch, scale, seed, epoch, augment, from })) yield feeds;
    },
  };
}

export interface Evaluation {
  accuracy: number;
  /** Mean negative log-likelihood of the true class. */
  loss: number;
  samples: number;
}

/** Accuracy and loss of a classifier on a split, with its parameters as they are now. */
export async function evaluateClassifier(
  model: Graph,
  split: Split,
  scale: Scale,
  { batch: size = 250, ...options }: SessionOptions & { batch?: number } = {},
): Promise<Evaluation> {
  const session = await createSession(rebatch(model, size), options);
  try {
    return await evaluateSession(
      session,
      { input: model.inputs[0], output: model.outputs[0], batch: size },
      split,
      scale,
    );
  } finally {
    await session.release();
  }
}

/** The same for a session that is already open. */
export async function evaluateSession(
  session: Session,
  names: { input: string; output: string; batch: number },
  split: Split,
  scale: Scale,
): Promise<Evaluation> {
  const batch = allocateBatch(names.batch, split.inputs.shape.slice(1), "int32");
  let hits = 0;
  let total = 0;
  for (const { count } of batchesInOrder(split, batch, scale)) {
    const logits = (await session.run({ [names.input]: batch.inputs }))[names.output];
    const classes = logits.data.length / names.batch;
    for (let row = 0; row < count; row++) {
      const scores = (logits.data as Float32Array).subarray(row * classes, (row + 1) * classes);
      const label = batch.labels.data[row] as number;
      let best = 0;
      for (let c = 1; c < classes; c++) if (scores[c] > scores[best]) best = c;
      if (best === label) hits++;
      const top = scores[best];
      let sum = 0;
      for (let c = 0; c < classes; c++) sum += Math.exp(scores[c] - top);
      total += top + Math.log(sum) - scores[label];
    }
  }
  const samples = split.labels.length;
  return { accuracy: hits / samples, loss: total / samples, samples };
}
