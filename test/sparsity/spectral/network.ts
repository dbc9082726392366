import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { matmul, mul, reduceSum, reshape, tanh } from "../../../src/engine/operators/index.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { toNumbers } from "../../../src/engine/tensor.ts";
import { layers } from "../../../src/nn/layers.ts";
import type { Sparsifier } from "../../../src/nn/sparsifier.ts";
import type { TrainingSource } from "../../../src/nn/trainer.ts";
import type { Objective } from "../../../src/nn/training-step.ts";
import { trainingGraph } from "../../../src/nn/training-step.ts";
import { random } from "../../../src/random.ts";

/** Every kind of layer that a linear map can be: convolutions, products of three axes, of two, of a transposed weight. */
export function network(): Graph {
  const graph = createGraph("network");
  const build = layers(graph, 3);
  const x = input(graph, "x", [2, 3, 6, 6]);
  const a = tanh(build.conv2d("wide", x, 4, { kernel: 3, stride: 2, padding: 1 }));
  const b = tanh(build.conv2d("pointwise", a, 5, { kernel: 1, bias: false }));
  const c = tanh(build.linear("deep", reshape(b, [-1, 5, 9]), 4));
  const turned = build.weight("turned.weight", [4, 6], 4);
  const d = tanh(matmul(c, turned));
  const e = tanh(build.linear("flat", reshape(d, [-1, 30]), 7));
  output(build.linear("head", e, 2));
  return graph;
}

export const MAPS = ["wide.weight", "pointwise.weight", "deep.weight", "turned.weight", "flat.weight"];

export const sumOfSquares: Objective = ([y]) => ({ loss: reduceSum(mul(y, y)) });

export function images(): Record<string, Tensor<"float32">> {
  const rng = random(4);
  return {
    x: {
      dtype: "float32",
      shape: [2, 3, 6, 6],
      data: Float32Array.from({ length: 216 }, () => rng.normal()),
    },
  };
}

/** A step of the network in float64: its loss, and what each parameter moves along. */
export function stepOf(model: Graph, sparsifier?: Sparsifier, inputs: Record<string, Tensor> = images()) {
  const { graph, loss, gradients } = trainingGraph(model, sumOfSquares, sparsifier);
  const numeric = (tensors: Iterable<readonly [string, Tensor]>) =>
    Object.fromEntries([...tensors].map(([name, t]) => [name, { shape: t.shape, data: toNumbers(t) }]));
  const values = numeric(graph.parameters);
  const moment = { epoch: 0, epochs: 1, step: 0 };
  const feeds = { ...numeric(Object.entries({ ...inputs, ...sparsifier?.feeds?.(moment) })), ...values };
  const lossAt = () => evaluate(graph, feeds, [loss.name])[loss.name].data[0];
  const found = evaluate(
    graph,
    feeds,
    gradients.map((g) => g.name),
  );
  const names = [...graph.parameters.keys()];
  return {
    names,
    values,
    lossAt,
    directions: Object.fromEntries(names.map((name, n) => [name, found[gradients[n].name].data])),
  };
}

/** Central differences of the loss by every number of one parameter. */
export function differences(step: ReturnType<typeof stepOf>, name: string): number[] {
  const at = step.values[name].data;
  const h = 1e-6;
  return Array.from(at, (v, i) => {
    at[i] = v + h;
    const up = step.lossAt();
    at[i] = v - h;
    const down = step.lossAt();
    at[i] = v;
    return (up - down) / (2 * h);
  });
}

/** The same batch, so many times an epoch. */
export function repeated(steps: number): TrainingSource {
  const feeds = images();
  return {
    stepsPerEpoch: steps,
    *feeds(_, from) {
      for (let i = from; i < steps; i++) yield feeds;
    },
  };
}
