import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Split } from "../../src/data/dataset.ts";
import { unscaled } from "../../src/data/dataset.ts";
import { writeNpz } from "../../src/data/npz.ts";
import type { Graph, Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import {
  add,
  matmul,
  mul,
  reduceMean,
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

/** The classifier, trained on the sequences, as a file. */
export async function trainedClassifier(): Promise<Uint8Array> {
  const model = textClassifier(50);
  const split = sequences(1500, 1);
  await train(model, classification(), classificationSource(model, split, unscaled([LENGTH]), { seed: 0 }), {
    epochs: 4,
    optimizer: { kind: "adam" },
    learningRate: 0.005,
    threads: 1,
  });
  return exportModel(model);
}

/** Writes samples as a file; ids as int64, like the tools that make them. */
export function writeSamples(path: string, training: Split, testing: Split): void {
  const arrays = Object.entries({ train: training, test: testing }).flatMap(
    ([part, { inputs, labels }]): [string, Tensor][] => [
      [
        `x_${part}`,
        { dtype: "int64", shape: inputs.shape, data: BigInt64Array.from(inputs.data as Int32Array, BigInt) },
      ],
      [`y_${part}`, { dtype: "int32", shape: [labels.length], data: labels }],
    ],
  );
  writeFileSync(path, writeNpz(new Map(arrays)));
}

export function writeTokenTask(folder: string, model: Uint8Array): void {
  writeFileSync(join(folder, "text.onnx"), model);
  writeSamples(join(folder, "text.npz"), sequences(1500, 1), sequences(300, 2));
}
