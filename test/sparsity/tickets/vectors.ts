import { readFileSync } from "node:fs";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { output, valueNamed } from "../../../src/engine/graph.ts";
import { replay } from "../../../src/engine/replay.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { toNumbers } from "../../../src/engine/tensor.ts";
import type { Objective } from "../../../src/nn/training-step.ts";
import { exactCrossEntropy } from "../../../src/sparsity/tickets/exact-cross-entropy.ts";
import type { Masks } from "../../../src/sparsity/tickets/masks.ts";
import { MLP_LAYERS, modularMlp } from "../../../src/sparsity/tickets/modular-mlp.ts";
import { createTask, taskFeeds } from "../../../src/sparsity/tickets/tasks.ts";

export const vectors = JSON.parse(
  readFileSync(new URL("../../vectors/grokking.json", import.meta.url), "utf8"),
);

/** The vectors' rule for weights of layer `index`. */
export const ruled = (length: number, index: number, scale = 0.6) =>
  Float64Array.from({ length }, (_, i) => scale * Math.sin(1.3 * (i + 1) + 0.7 * index));

/** Writes the rule into every parameter, in their order. */
export function useRule(graph: Graph, scale?: number, first = 0): void {
  [...graph.parameters.values()].forEach((t, index) =>
    t.data.set(ruled(t.data.length, first + index, scale)),
  );
}

export function tinyMlp(): { model: Graph; feeds: Record<string, Tensor> } {
  const { train } = vectors.tinyMlp;
  const model = modularMlp({ vocabulary: 5, classes: 5, width: 4, hidden: 3, batch: train.length });
  useRule(model);
  return { model, feeds: feedsOf(train, model) };
}

/** Feeds for the given pairs of addition modulo 5. */
export function feedsOf(train: [number, number][], model: Graph): Record<string, Tensor> {
  const task = createTask("modadd", 5);
  const samples = Uint32Array.from(train, ([x, y]) => {
    for (let i = 0; i < task.labels.length; i++)
      if (task.pairs[2 * i] === Math.min(x, y) && task.pairs[2 * i + 1] === Math.max(x, y)) return i;
    throw new Error("no such pair");
  });
  return taskFeeds(task, samples, model);
}

/** The masks of the vectors for the tiny MLP's parameters. */
export const masksFrom = (list: number[][][]): Masks =>
  new Map(MLP_LAYERS.map((name, i) => [name, Uint8Array.from(list[i].flat())]));

/** Loss and gradients in double precision by the reference evaluation, with weights in double precision. */
export function exactly(
  model: Graph,
  feeds: Record<string, Tensor>,
  weights: Record<string, Float64Array>,
  objective: Objective = exactCrossEntropy(),
) {
  const graph = replay(model);
  const [logits] = graph.outputs;
  const { loss } = objective([valueNamed(graph, logits)], graph);
  const names = [...graph.parameters.keys()];
  const slopes = gradients(
    loss,
    names.map((n) => valueNamed(graph, n)),
  );
  graph.outputs = [];
  output(loss);
  for (const v of slopes) output(v);
  const numbers = Object.fromEntries(
    Object.entries(feeds).map(([name, t]) => [name, { shape: t.shape, data: toNumbers(t) }]),
  );
  for (const n of names) numbers[n] = { shape: graph.parameters.get(n)!.shape, data: weights[n] };
  const results = evaluate(graph, numbers, [loss.name, logits, ...slopes.map((v) => v.name)]);
  return {
    loss: results[loss.name].data[0],
    logits: results[logits].data,
    gradients: Object.fromEntries(names.map((n, i) => [n, results[slopes[i].name].data])),
  };
}

/** Largest difference, relative to the largest expected number. */
export function worst(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length)
    throw new Error(`${found.length} numbers, expected ${expected.length}`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(found[i] - expected[i]));
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return difference / largest;
}
