import type { Augment } from "../data/batches.ts";
import { batchesInOrder, batchesOfEpoch, stepsPerEpoch } from "../data/batches.ts";
import type { Scale, Split } from "../data/dataset.ts";
import type { Graph, Value } from "../engine/graph.ts";
import { input, producers, valueNamed } from "../engine/graph.ts";
import { correctCount, crossEntropy, div } from "../engine/operators/index.ts";
import { rebatch } from "../engine/replay.ts";
import type { Session, SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import { sizeOf } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { createCalibration } from "./calibration.ts";
import { sampleBatch } from "./sample-batch.ts";
import type { TrainingSource } from "./trainer.ts";
import type { Objective } from "./training-step.ts";
import { batchOf } from "./training-step.ts";

export interface ClassificationOptions {
  /** Share of every label that is spread over all classes. Default 0. */
  labelSmoothing?: number;
  /**
   * What the logits are divided by in the loss. A network whose logits run into the thousands has gradients for its
   * mistakes alone; at the temperature that fits its certainty it can be trained on. Default 1.
   */
  temperature?: number;
}

/**
 * Cross-entropy of the first output (logits [batch, classes]) against int32 labels fed as `labels`; metric
 * `trainAccuracy`. Where the network ends in a softmax, its input are the logits.
 */
export function classification({
  labelSmoothing = 0,
  temperature = 1,
}: ClassificationOptions = {}): Objective {
  return ([scores], graph) => {
    const logits = beforeSoftmax(scores);
    const [batch] = logits.shape;
    const labels = input(graph, "labels", [batch], { dtype: "int32" });
    return {
      loss: crossEntropy(temperature === 1 ? logits : div(logits, temperature), labels, { labelSmoothing }),
      metrics: { trainAccuracy: div(correctCount(logits, labels), batch) },
    };
  };
}

function beforeSoftmax(scores: Value): Value {
  const last = producers(scores.graph).get(scores.name);
  return last?.op === "Softmax" ? valueNamed(scores.graph, last.inputs[0]) : scores;
}

/** Throws a `Problem` where a split's labels are not one of the model's classes for each of its inputs. */
function checkLabels(model: Graph, { inputs, labels }: Split): void {
  const classes = sizeOf(model.types.get(model.outputs[0])!.shape.slice(1));
  if (inputs.shape[0] !== labels.length)
    throw new Problem(`there are ${inputs.shape[0]} inputs but ${labels.length} labels`);
  const wrong = labels.findIndex((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (wrong >= 0)
    throw new Problem(
      `label ${wrong} is ${labels[wrong]}; the model tells ${classes} classes apart, counted from 0`,
    );
}

/** Shuffled batches of labelled samples for a model's first input. */
export function classificationSource(
  model: Graph,
  split: Split,
  scale: Scale,
  { seed, augment }: { seed: number; augment?: Augment },
): TrainingSource {
  checkLabels(model, split);
  const { batch, feeds: inputs } = sampleBatch(model, split);
  const feeds = { ...inputs, labels: batch.labels };
  return {
    stepsPerEpoch: stepsPerEpoch(split, batchOf(model)),
    *feeds(epoch, from) {
      for (const _ of batchesOfEpoch(split, { batch, scale, seed, epoch, augment, from })) yield feeds;
    },
  };
}

export interface Evaluation {
  accuracy: number;
  /** Share of the samples whose true class is among the five with the highest scores; null where there are no more classes. */
  top5Accuracy: number | null;
  /** Mean negative log-likelihood of the true class. */
  loss: number;
  /** Expected calibration error, 0 to 1: how far the probability of the chosen class is from how often it is right. */
  calibrationError: number;
  samples: number;
}

/** Accuracy, loss and calibration of a classifier on a split, with its parameters as they are now. */
export async function evaluateClassifier(
  model: Graph,
  split: Split,
  scale: Scale,
  { batch: size = 250, ...options }: SessionOptions & { batch?: number } = {},
): Promise<Evaluation> {
  checkLabels(model, split);
  const graph = rebatch(model, size);
  const session = await createSession(graph, options);
  try {
    return await evaluateSession(session, graph, split, scale);
  } finally {
    await session.release();
  }
}

/** The same for a session of the model that is already open, in batches of the model's size. */
export async function evaluateSession(
  session: Pick<Session, "run">,
  model: Graph,
  split: Split,
  scale: Scale,
): Promise<Evaluation> {
  const { batch, feeds } = sampleBatch(model, split);
  const calibration = createCalibration();
  let hits = 0;
  let amongFive = 0;
  let classes = 0;
  let total = 0;
  for (const { count } of batchesInOrder(split, batch, scale)) {
    const logits = (await session.run(feeds))[model.outputs[0]];
    classes = logits.data.length / batchOf(model);
    for (let row = 0; row < count; row++) {
      const scores = (logits.data as Float32Array).subarray(row * classes, (row + 1) * classes);
      const label = batch.labels.data[row] as number;
      let best = 0;
      for (let c = 1; c < classes; c++) if (scores[c] > scores[best]) best = c;
      if (best === label) hits++;
      if (rankOf(scores, label) < 5) amongFive++;
      calibration.add(Math.exp(-negativeLogLikelihood(scores, best)), best === label);
      total += negativeLogLikelihood(scores, label);
    }
  }
  const samples = split.labels.length;
  return {
    accuracy: hits / samples,
    top5Accuracy: classes > 5 ? amongFive / samples : null,
    loss: total / samples,
    calibrationError: calibration.error(),
    samples,
  };
}

/** Classes that come before this one: of equal scores the first does, and what is no number comes before all. */
function rankOf(scores: Float32Array, label: number): number {
  let rank = 0;
  for (let c = 0; c < scores.length; c++)
    if (c < label ? !(scores[c] < scores[label]) : c > label && !(scores[c] <= scores[label])) rank++;
  return rank;
}

/** Temperatures that `fittingTemperature` tries: powers of √10 from 1 to 10⁵. */
const TEMPERATURES = Array.from({ length: 11 }, (_, i) => 10 ** (i / 2));

/** The temperature at which the network's certainty fits its accuracy best on the first samples of a split (Guo et al. 2017). */
export async function fittingTemperature(
  model: Graph,
  split: Split,
  scale: Scale,
  options: SessionOptions = {},
): Promise<number> {
  const size = Math.min(2000, split.labels.length);
  const graph = rebatch(model, size);
  const [output] = graph.outputs.map((name) => beforeSoftmax(valueNamed(graph, name)).name);
  graph.outputs = [output];
  const session = await createSession(graph, options);
  const { batch, feeds } = sampleBatch(graph, split);
  batchesInOrder(split, batch, scale).next();
  const logits = (await session.run(feeds))[output];
  await session.release();
  const classes = logits.data.length / size;
  const lossAt = (temperature: number) => {
    let total = 0;
    for (let row = 0; row < size; row++) {
      const scores = Array.from(
        (logits.data as Float32Array).subarray(row * classes, (row + 1) * classes),
        (v) => v / temperature,
      );
      total += negativeLogLikelihood(scores, batch.labels.data[row] as number);
    }
    return total;
  };
  return TEMPERATURES.map((t) => ({ t, loss: lossAt(t) })).reduce((a, b) => (b.loss < a.loss ? b : a)).t;
}

/** −log softmax(scores)[label], stable for large scores. */
function negativeLogLikelihood(scores: ArrayLike<number>, label: number): number {
  let top = scores[0];
  for (let c = 1; c < scores.length; c++) if (scores[c] > top) top = scores[c];
  let sum = 0;
  for (let c = 0; c < scores.length; c++) sum += Math.exp(scores[c] - top);
  return top + Math.log(sum) - scores[label];
}
