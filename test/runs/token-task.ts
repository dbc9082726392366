import { writeFileSync } from "node:fs";
import type { Split } from "../../src/data/dataset.ts";
import { unscaled } from "../../src/data/dataset.ts";
import { writeNpz } from "../../src/data/npz.ts";
import type { Graph, Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import {
  add,
  cast,
  matmul,
  mul,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  softmax,
  transpose,
} from "../../src/engine/operators/index.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { classification, classificationSource } from "../../src/nn/classification.ts";
import { layers } from "../../src/nn/layers.ts";
import { train } from "../../src/nn/trainer.ts";
import { random } from "../../src/random.ts";

const VOCABULARY = 40;
const LENGTH = 12;
const CLASSES = 3;

/** Sequences of ids of which exactly one, anywhere, is below 2 · 3: it says the class, the others nothing. */
export function sequences(samples: number, seed: number): Split {
  const rng = random(seed);
  const labels = Int32Array.from({ length: samples }, () => rng.integer(CLASSES));
  const data = Int32Array.from(
    { length: samples * LENGTH },
    () => 2 * CLASSES + rng.integer(VOCABULARY - 2 * CLASSES),
  );
  labels.forEach((label, i) => {
    data[i * LENGTH + rng.integer(LENGTH)] = label + CLASSES * rng.integer(2);
  });
  return { inputs: { dtype: "int32", shape: [samples, LENGTH], data }, labels };
}

/** The same sequences in another code, in which what meant something means nothing. */
export function recoded({ inputs, labels }: Split): Split {
  const data = (inputs.data as Int32Array).map((id) => (id + VOCABULARY / 2) % VOCABULARY);
  return { inputs: { ...inputs, data } as Split["inputs"], labels };
}

/** Embedding, attention of four heads, an MLP, the mean over the tokens, and a linear layer. */
export function textClassifier(batch = 1): Graph {
  const [width, heads, size, hidden] = [24, 4, 8, 48];
  const graph = createGraph("text");
  const { embedding, linear, weight } = layers(graph, 3);
  const ids = input(graph, "ids", [batch, LENGTH], { dtype: "int64" });
  const place = weight("positions", [LENGTH, width], width);
  const x = add(embedding("tokens", ids, VOCABULARY, width), place);
  const cut = (v: Value, perm: number[]) => transpose(reshape(v, [-1, LENGTH, heads, size]), perm);
  const q = cut(linear("q", x, heads * size), [0, 2, 1, 3]);
  const k = cut(linear("k", x, heads * size), [0, 2, 3, 1]);
  const v = cut(linear("v", x, heads * size), [0, 2, 1, 3]);
  const weights = softmax(mul(matmul(q, k), size ** -0.5));
  const mixed = reshape(transpose(matmul(weights, v), [0, 2, 1, 3]), [-1, LENGTH, heads * size]);
  const attended = add(x, linear("o", mixed, width));
  const y = add(attended, linear("down", relu(linear("up", attended, hidden)), width));
  output(linear("classes", reduceMean(y, [1]), CLASSES));
  return graph;
}

/** Sequences of 4 to 12 ids, filled up with such as say a class, in places that a mask of 0 marks. */
export function paddedSequences(samples: number, seed: number): Split {
  const { inputs, labels } = sequences(samples, seed);
  const rng = random(seed);
  const ids = inputs.data as Int32Array;
  const mask = new Int32Array(ids.length).fill(1);
  for (let start = 0; start < ids.length; start += LENGTH) {
    const row = ids.subarray(start, start + LENGTH);
    const length = 4 + rng.integer(LENGTH - 3);
    const key = row.findIndex((id) => id < 2 * CLASSES);
    const other = rng.integer(length);
    [row[key], row[other]] = [row[other], row[key]];
    for (let i = length; i < LENGTH; i++) row[i] = rng.integer(2 * CLASSES);
    mask.fill(0, start + length, start + LENGTH);
  }
  return { inputs, others: [{ dtype: "int32", shape: inputs.shape, data: mask }], labels };
}

/** Two inputs, ids and mask: an MLP for each token, the sum over those that the mask leaves, and a linear layer. */
export function maskedClassifier(batch = 1): Graph {
  const graph = createGraph("masked");
  const { embedding, linear } = layers(graph, 3);
  const ids = input(graph, "ids", [batch, LENGTH], { dtype: "int64" });
  const mask = input(graph, "mask", [batch, LENGTH], { dtype: "int64" });
  const x = relu(linear("up", embedding("tokens", ids, VOCABULARY, 16), 32));
  const seen = mul(x, reshape(cast(mask, "float32"), [-1, LENGTH, 1]));
  output(linear("classes", reduceSum(seen, [1]), CLASSES));
  return graph;
}

/** A classifier with a batch of 50, trained on a split, as a file. */
export async function trained(model: Graph, split: Split): Promise<Uint8Array> {
  await train(model, classification(), classificationSource(model, split, unscaled([LENGTH]), { seed: 0 }), {
    epochs: 4,
    optimizer: { kind: "adam" },
    learningRate: 0.005,
    threads: 1,
  });
  return exportModel(model);
}

/** Writes samples as a file; ids as int64, like the tools that make them. */
export function writeSamples(path: string, training: Split, testing: Split, names = ["x"]): void {
  const arrays = Object.entries({ train: training, test: testing }).flatMap(
    ([part, { inputs, others = [], labels }]): [string, Tensor][] => [
      ...[inputs, ...others].map(({ shape, data }, i): [string, Tensor] => [
        `${names[i]}_${part}`,
        { dtype: "int64", shape, data: BigInt64Array.from(data as Int32Array, BigInt) },
      ]),
      [`y_${part}`, { dtype: "int32", shape: [labels.length], data: labels }],
    ],
  );
  writeFileSync(path, writeNpz(new Map(arrays)));
}
