import type { Dataset, Split } from "../../data/dataset.ts";
import { unitOf } from "../../data/dataset.ts";
import { input } from "../../engine/graph.ts";
import { cast, meanSquaredError, oneHot } from "../../engine/operators/index.ts";
import { sizeOf, tensor, zeros } from "../../engine/tensor.ts";
import type { Objective } from "../../nn/training-step.ts";
import { random } from "../../random.ts";
import type { Lesson, Samples } from "./lesson.ts";
import { shareOfHits } from "./lesson.ts";

/** Mean over samples and classes of (output − 1 at the label, 0 elsewhere)² (grokking.md section 2, MNIST). */
export function oneHotError(): Objective {
  return ([outputs], graph) => {
    const [batch, classes] = outputs.shape;
    const labels = input(graph, "labels", [batch], { dtype: "int32" });
    return {
      loss: meanSquaredError(outputs, oneHot(cast(labels, "int64"), classes, { dtype: outputs.dtype })),
    };
  };
}

/**
 * Few images of a data set, drawn with the seed, and all of its test images, as rows of numbers from 0 to 1 (Liu et al.
 * 2023, "Omnigrok", section 3.2). A network on so few never gets all others right, so it has learnt at 80 %.
 */
export function digitsLesson({ train, test }: Dataset, count: number, seed: number): Lesson {
  const few = random(seed).permutation(train.labels.length).slice(0, count);
  const every = Uint32Array.from(test.labels.keys());
  return {
    train: rowsOf(train, few),
    test: rowsOf(test, every),
    objective: oneHotError(),
    score: shareOfHits,
    threshold: 0.8,
  };
}

function rowsOf({ inputs, labels }: Split, which: Uint32Array): Samples {
  const size = sizeOf(inputs.shape) / labels.length;
  const unit = unitOf(inputs);
  const x = zeros([which.length, size]);
  which.forEach((sample, row) => {
    for (let i = 0; i < size; i++) x.data[row * size + i] = unit * inputs.data[sample * size + i];
  });
  return {
    x,
    labels: tensor(
      "int32",
      [which.length],
      Int32Array.from(which, (i) => labels[i]),
    ),
  };
}
