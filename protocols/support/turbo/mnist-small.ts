import type { Augment } from "../../../src/data/batches.ts";
import type { Dataset, Split } from "../../../src/data/dataset.ts";
import { loadDataset } from "../../../src/data/load.node.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { classification, classificationSource, evaluateClassifier } from "../../../src/nn/classification.ts";
import { constantFill, xavierUniform } from "../../../src/nn/initializers.ts";
import { mlp } from "../../../src/nn/models/mlp.ts";
import type { Sparsifier } from "../../../src/nn/sparsifier.ts";
import type { TrainOptions } from "../../../src/nn/trainer.ts";
import { train } from "../../../src/nn/trainer.ts";
import { deriveSeed, random } from "../../../src/random.ts";
import { DATA_DIR } from "../results.ts";

/** MNIST at 14×14 pixels: 6000 training images drawn by the seed, every fifth test image. */
export async function smallMnist(seed: number, { permuted = false } = {}): Promise<Dataset> {
  const data = await loadDataset("mnist", { dataDir: DATA_DIR });
  const size = 14;
  const drawn = random(deriveSeed(seed, "images")).permutation(data.train.labels.length).subarray(0, 6000);
  const order = permuted ? random(deriveSeed(seed, "pixels")).permutation(size * size) : undefined;
  const shrunk = ({ inputs, labels }: Split, samples: Uint32Array): Split => {
    const pixels = new Float32Array(samples.length * size * size);
    samples.forEach((from, to) => {
      for (let p = 0; p < size * size; p++) {
        const [y, x] = [2 * Math.floor((order?.[p] ?? p) / size), 2 * ((order?.[p] ?? p) % size)];
        const at = from * 784 + y * 28 + x;
        const four = inputs.data[at] + inputs.data[at + 1] + inputs.data[at + 28] + inputs.data[at + 29];
        pixels[to * size * size + p] = four / (4 * 255);
      }
    });
    return {
      inputs: { dtype: "float32", shape: [samples.length, 1, size, size], data: pixels },
      labels: Int32Array.from(samples, (i) => labels[i]),
    };
  };
  return {
    ...data,
    name: "mnist 14×14",
    inputShape: [1, size, size],
    scale: { mean: [0], std: [1] },
    train: shrunk(data.train, drawn),
    test: shrunk(
      data.test,
      Uint32Array.from({ length: 2000 }, (_, i) => 5 * i),
    ),
  };
}

/** A fully connected network with Glorot's weights and no biases to begin with. */
export function glorotMlp(data: Dataset, hidden: readonly number[], batch: number, seed: number): Graph {
  const model = mlp({ inputShape: data.inputShape, classes: data.classes.length, hidden, batch, seed });
  for (const [name, { shape, data: values }] of model.parameters) {
    const fill = shape.length > 1 ? xavierUniform : constantFill(0);
    values.set(fill(shape, shape.at(-1)!, random(deriveSeed(seed, "glorot", name))).data);
  }
  return model;
}

export interface ImageSet extends Dataset {
  /** How training images vary. */
  augment?: Augment;
}

/** Adam for so many epochs. */
export async function trainAdam(
  model: Graph,
  data: ImageSet,
  options: {
    seed: number;
    epochs: number;
    learningRate: number;
    sparsifier?: Sparsifier;
  } & Partial<TrainOptions>,
): Promise<void> {
  const { seed } = options;
  const { train: split, scale, augment } = data;
  await train(model, classification(), classificationSource(model, split, scale, { seed, augment }), {
    optimizer: { kind: "adam" },
    threads: 1,
    ...options,
  });
}

export async function accuracyOf(model: Graph, data: Dataset): Promise<number> {
  return (await evaluateClassifier(model, data.test, data.scale, { threads: 1 })).accuracy;
}

/** The same network with arrays of its own. */
export function copyOf(model: Graph): Graph {
  const copy = rebatch(model, model.types.get(model.inputs[0])!.shape[0]);
  for (const [name, t] of copy.parameters) copy.parameters.set(name, { ...t, data: t.data.slice() });
  return copy;
}
