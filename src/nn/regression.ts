import type { Graph } from "../engine/graph.ts";
import { input } from "../engine/graph.ts";
import { meanSquaredError, mul } from "../engine/operators/index.ts";
import { rebatch } from "../engine/replay.ts";
import type { SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import { sizeOf, type Tensor, zeros } from "../engine/tensor.ts";
import type { TrainingSource } from "./trainer.ts";
import type { Objective } from "./training-step.ts";
import { batchOf } from "./training-step.ts";

/** Inputs [samples, …] with one number to predict for each. */
export interface Samples {
  inputs: Tensor<"float32" | "float64">;
  targets: Tensor<"float32" | "float64">;
}

/** ½·mean of (first output − targets)²; targets are fed as `targets` in the output's shape. */
export function regression(): Objective {
  return ([prediction], graph) => ({
    loss: mul(meanSquaredError(prediction, input(graph, "targets", prediction.shape)), 0.5),
  });
}

/**
 * Batches of samples for a model's first input.
 *
 * @param order the samples of an epoch in the order in which they are taken; what fills no batch is left out.
 */
export function regressionSource(
  model: Graph,
  { inputs, targets }: Samples,
  order: (epoch: number) => ArrayLike<number>,
): TrainingSource {
  const batch = batchOf(model);
  const width = sizeOf(inputs.shape) / targets.data.length;
  const shape = (name: string) => model.types.get(name)!.shape;
  const x = zeros(shape(model.inputs[0]));
  const y = zeros(shape(model.outputs[0]));
  const feeds = { [model.inputs[0]]: x, targets: y };
  const stepsPerEpoch = Math.floor(order(0).length / batch);
  return {
    stepsPerEpoch,
    *feeds(epoch, from) {
      const samples = order(epoch);
      for (let step = from; step < stepsPerEpoch; step++) {
        for (let row = 0; row < batch; row++) {
          const i = samples[step * batch + row];
          x.data.set(inputs.data.subarray(i * width, (i + 1) * width), row * width);
          y.data[row] = targets.data[i];
        }
        yield feeds;
      }
    },
  };
}

/** Mean of (first output − targets)² over all samples, with the parameters as they are now. */
export async function squaredError(
  model: Graph,
  { inputs, targets }: Samples,
  options: SessionOptions = {},
): Promise<number> {
  const whole = rebatch(model, targets.data.length);
  const session = await createSession(whole, options);
  const x = zeros(inputs.shape);
  x.data.set(inputs.data);
  const found = (await session.run({ [model.inputs[0]]: x }))[model.outputs[0]].data as Float32Array;
  await session.release();
  return found.reduce((sum, y, i) => sum + (y - targets.data[i]) ** 2, 0) / found.length;
}
