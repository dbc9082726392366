import type { Graph } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { matmul, reduceSum, relu, transpose } from "../../src/engine/operators/index.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { normal } from "../../src/nn/initializers.ts";
import { layers } from "../../src/nn/layers.ts";
import { lenet } from "../../src/nn/models/lenet.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { resnet } from "../../src/nn/models/resnet.ts";
import { transformer } from "../../src/nn/models/transformer.ts";
import { vgg } from "../../src/nn/models/vgg.ts";
import type { OptimizerSpec } from "../../src/nn/optimizers.ts";
import type { Random } from "../../src/random.ts";
import { random } from "../../src/random.ts";

/** One network with its data and optimiser. */
export interface Case {
  name: string;
  model: Graph;
  feeds: Record<string, Tensor>;
  optimizer: OptimizerSpec;
  learningRate: number;
  weightDecay: number;
}

export const SEED = 7;

const sgd = { optimizer: { kind: "sgd", momentum: 0.9 }, learningRate: 0.01, weightDecay: 1e-4 } as const;
const adamw = {
  optimizer: { kind: "adamw", betas: [0.9, 0.98] },
  learningRate: 1e-3,
  weightDecay: 1,
} as const;

function images(shape: readonly number[], classes: number): Record<string, Tensor> {
  const rng = random(SEED);
  return {
    input: { dtype: "float32", shape, data: Float32Array.from({ length: size(shape) }, () => rng.normal()) },
    labels: integers(rng, [shape[0]], classes),
  };
}

function integers(rng: Random, shape: readonly number[], below: number): Tensor {
  return { dtype: "int32", shape, data: Int32Array.from({ length: size(shape) }, () => rng.integer(below)) };
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** 40 % of all pairs x ≤ y below 67, and their sums: the full batch of the grokking experiments. */
function modularAddition(): Record<string, Tensor> {
  const p = 67;
  const pairs: [number, number][] = [];
  for (let x = 0; x < p; x++) for (let y = x; y < p; y++) pairs.push([x, y]);
  const rng = random(SEED);
  for (let i = pairs.length - 1; i > 0; i--) {
    const j = rng.integer(i + 1);
    [pairs[i], pairs[j]] = [pairs[j], pairs[i]];
  }
  const chosen = pairs.slice(0, Math.floor(0.4 * pairs.length));
  return {
    input: { dtype: "int32", shape: [chosen.length, 2], data: Int32Array.from(chosen.flat()) },
    labels: {
      dtype: "int32",
      shape: [chosen.length],
      data: Int32Array.from(chosen, ([x, y]) => (x + y) % p),
    },
  };
}

/** ReLU(W_I (e_x + e_y)) through W_O and W_U, no biases (Minegishi et al. 2023). */
function modularMlp(batch: number): Graph {
  const [p, width, hidden] = [67, 500, 48];
  const graph = createGraph("modular-mlp");
  const { weight, embedding } = layers(graph, SEED);
  const ids = input(graph, "input", [batch, 2], { dtype: "int32" });
  const both = embedding("embed", ids, p, width, { std: p ** -0.5 });
  const w = (name: string, rows: number, columns: number) =>
    weight(name, [rows, columns], columns, normal(columns ** -0.5));
  const through = (x: typeof both, m: typeof both) => matmul(x, transpose(m, [1, 0]));
  const sum = reduceSum(both, [1]);
  const h = relu(through(sum, w("w_i", hidden, width)));
  output(through(through(h, w("w_o", width, hidden)), w("w_u", p, width)));
  return graph;
}

function modularMlpCase(name: string): Case {
  const feeds = modularAddition();
  return { name, model: modularMlp(feeds.labels.shape[0]), feeds, ...adamw };
}

const tokens = (batch: number, context: number, vocabulary: number): Record<string, Tensor> => {
  const rng = random(SEED);
  return {
    input: integers(rng, [batch, context], vocabulary),
    labels: integers(rng, [batch * context], vocabulary),
  };
};

export const CASES: Readonly<Record<string, () => Case>> = {
  "lenet-300-100": () => ({
    name: "LeNet-300-100, batch 128",
    model: mlp({ inputShape: [1, 28, 28], classes: 10, batch: 128, seed: SEED, hidden: [300, 100] }),
    feeds: images([128, 1, 28, 28], 10),
    ...sgd,
  }),
  lenet: () => ({
    name: "LeNet 20-50-500, batch 128",
    model: lenet({ inputShape: [1, 28, 28], classes: 10, batch: 128, seed: SEED }),
    feeds: images([128, 1, 28, 28], 10),
    ...sgd,
  }),
  vgg: () => ({
    name: "VGG 32-32-64-64-128-128, 32×32, batch 64",
    model: vgg({ inputShape: [3, 32, 32], classes: 10, batch: 64, seed: SEED }),
    feeds: images([64, 3, 32, 32], 10),
    ...sgd,
  }),
  resnet20: () => ({
    name: "ResNet20, 32×32, batch 64",
    model: resnet({ inputShape: [3, 32, 32], classes: 10, batch: 64, seed: SEED }),
    feeds: images([64, 3, 32, 32], 10),
    ...sgd,
  }),
  "modular-mlp": () => modularMlpCase("MLP for addition modulo 67, full batch"),
  // What the training step finds by itself, (A·B)·C as A·(B·C), written out for PyTorch by hand.
  "modular-mlp-ordered": () => modularMlpCase("  the same, its products ordered by hand in PyTorch"),
  "modular-transformer": () => {
    const feeds = modularAddition();
    return {
      name: "one-layer transformer for addition modulo 67, full batch",
      model: transformer({
        vocabulary: 67,
        context: 2,
        width: 128,
        heads: 1,
        mlpWidth: 128,
        blocks: 1,
        layerNorm: false,
        activation: "relu",
        predict: "last",
        batch: feeds.labels.shape[0],
        seed: SEED,
      }),
      feeds,
      ...adamw,
    };
  },
  transformer: () => ({
    name: "four-layer transformer, width 128, context 64, batch 32",
    model: transformer({
      vocabulary: 65,
      context: 64,
      width: 128,
      heads: 4,
      blocks: 4,
      batch: 32,
      seed: SEED,
    }),
    feeds: tokens(32, 64, 65),
    ...adamw,
    weightDecay: 0.1,
  }),
};
