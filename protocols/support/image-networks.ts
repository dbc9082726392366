import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Dataset, Split } from "../../src/data/dataset.ts";
import { holdOut } from "../../src/data/hold-out.ts";
import { loadDataset } from "../../src/data/load.node.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { classification, classificationSource } from "../../src/nn/classification.ts";
import { MODELS } from "../../src/nn/models/index.ts";
import type { TrainingSource } from "../../src/nn/trainer.ts";
import { train } from "../../src/nn/trainer.ts";
import { writeWhole } from "../../src/runs/files.node.ts";
import { DATA_DIR, ROOT } from "./results.ts";

/** Where networks are kept, trained dense ones and compressed ones. */
export const WORK = join(ROOT, "runs", "images");

export const BATCH = 64;
export const WEIGHT_DECAY = 5e-4;
export const LEARNING_RATE = 0.05;
/** Share of the training during which the rate is that. */
export const FLAT = 0.3;

/** A network with its data: what is trained on, and what it costs to train it dense. */
export interface ImageTask {
  network: string;
  data: string;
  /** Training images, a seeded sample where the set has more; the next `validation` ones are for choosing settings. */
  train?: number;
  validation: number;
  /** The first ones of the test set. */
  test: number;
  epochs: number;
}

export const TASKS: readonly ImageTask[] = [
  { network: "vgg16-bn-half", data: "cifar10", validation: 0, test: 1000, epochs: 24 },
  { network: "resnet20", data: "fashion-mnist", train: 6000, validation: 2000, test: 4000, epochs: 12 },
];

export function taskOf(network: string): ImageTask {
  return TASKS.find((task) => task.network === network)!;
}

export interface ImageData extends Dataset {
  validation?: Split;
}

/** The task's samples: the same for every seed and method. */
export async function imagesOf({
  data: name,
  train: count,
  validation,
  test,
}: ImageTask): Promise<ImageData> {
  const data = await loadDataset(name, { dataDir: DATA_DIR });
  const all = data.train.labels.length;
  const wanted =
    count === undefined ? data : { ...data, train: holdOut(data, (count + validation) / all, 0).validation! };
  const split = holdOut(wanted, count === undefined ? 0 : validation / (count + validation), 1);
  return { ...split, test: firstOf(data.test, test) };
}

function firstOf({ inputs, labels }: Split, count: number): Split {
  const size = inputs.data.length / labels.length;
  return {
    inputs: {
      ...inputs,
      shape: [count, ...inputs.shape.slice(1)],
      data: inputs.data.slice(0, count * size),
    } as Split["inputs"],
    labels: labels.slice(0, count),
  };
}

/** Shuffled batches, the images mirrored at random. */
export function sourceOf(model: Graph, { train: split, scale }: Dataset, seed: number): TrainingSource {
  return classificationSource(model, split, scale, { seed, augment: { flip: true } });
}

/** The dense network that every method starts from, trained now where no earlier run has. */
export async function denseNetwork(task: ImageTask, data: Dataset, seed: number): Promise<Graph> {
  const path = join(WORK, `${task.network}-start-${task.epochs}-${seed}.onnx`);
  const saved = await readFile(path).catch(() => undefined);
  if (saved) return importModel(saved, { batch: BATCH });
  const { inputShape, classes } = data;
  const model = MODELS[task.network]({ inputShape, classes: classes.length, seed, batch: BATCH });
  await train(model, classification(), sourceOf(model, data, seed), {
    epochs: task.epochs,
    optimizer: { kind: "sgd", momentum: 0.9 },
    learningRate: LEARNING_RATE,
    weightDecay: WEIGHT_DECAY,
    schedule: { kind: "cosine", flat: FLAT, floor: 0 },
    threads: 1,
    onEpoch: ({ epoch, loss, metrics }) =>
      console.log(task.network, seed, epoch + 1, loss, metrics.trainAccuracy),
  });
  await writeWhole(path, exportModel(model));
  return model;
}
