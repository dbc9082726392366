import { constant, input, valueNamed } from "../engine/graph.ts";
import { add, mul, reduceSum, sub } from "../engine/operators/index.ts";
import { tensor } from "../engine/tensor.ts";
import type { TrainingResult, TrainOptions } from "../nn/trainer.ts";
import { train } from "../nn/trainer.ts";
import type { Objective } from "../nn/training-step.ts";
import { Problem } from "../problem.ts";
import { checkTraining } from "./check-training.ts";
import type { StepperConfig } from "./config.ts";
import { rolloutError, rolloutTrajectory } from "./rollout.ts";
import { type Setting, scaleOf } from "./setting.ts";
import { openSimulator } from "./simulator.ts";
import { SMALLEST, stepper } from "./stepper.ts";
import { exportStepper } from "./stepper-file.ts";
import type { SparseTrajectory } from "./windows.ts";
import { windowSource } from "./windows.ts";

export interface TrainStepperOptions extends Partial<Omit<TrainOptions, "evaluate" | "epochs">> {
  config: StepperConfig;
  setting: Setting;
  training: readonly SparseTrajectory[];
  /** Rolled out after every epoch; the network of the lowest error is kept. None: the last is kept. */
  validation?: readonly SparseTrajectory[];
  /** Predicted frames of a validation rollout. Default 50. */
  horizon?: number;
  steps: number;
  /** Default a tenth of the steps, at most 500. */
  stepsPerEpoch?: number;
  batch?: number;
  /** Windows as random images of the box (`windows.ts`). */
  mirror?: boolean;
  /**
   * Of the mean squared error of the next position without noise, in box lengths squared, beside that of the accelerations. The later
   * published code has 1e9, which outweighs all else (GIOROM spec 3.8). Default 0.
   */
  positionLossWeight?: number;
  seed: number;
  /** After an epoch whose network is the best so far, its .onnx file. */
  onBest?: (model: Uint8Array, error: number) => Promise<void>;
}

export interface TrainedStepper extends TrainingResult {
  /** The .onnx file of the best network since training began or went on, the last one where nothing validates. */
  model: Uint8Array;
}

/** Mean squared error of normalised accelerations, spare rows left out. */
export const accelerationLoss: Objective = ([prediction], graph) => {
  const targets = input(graph, "targets", prediction.shape, { batched: false });
  const weights = input(graph, "lossWeights", [prediction.shape[0], 1], { batched: false });
  const off = sub(prediction, targets);
  return { loss: reduceSum(mul(mul(off, off), weights)) };
};

/**
 * {@link accelerationLoss} and, with that weight, the mean squared error of the position that follows from the true past. Where
 * the past is the same for both, positions differ as accelerations do.
 */
function stepperLoss({ statistics, noise }: Setting, positionLossWeight: number): Objective {
  if (positionLossWeight === 0) return accelerationLoss;
  const scales = statistics.accelerationStd.map((std) => Math.sqrt(positionLossWeight) * scaleOf(std, noise));
  return (outputs, graph) => {
    const { loss } = accelerationLoss(outputs, graph);
    const [prediction] = outputs;
    const targets = input(graph, "cleanTargets", prediction.shape, { batched: false });
    const off = mul(sub(prediction, targets), constant(graph, tensor("float32", [1, scales.length], scales)));
    const weights = valueNamed(graph, "lossWeights");
    return { loss: add(loss, reduceSum(mul(mul(off, off), weights))) };
  };
}

/**
 * Trains a time stepper on sparse trajectories (GIOROM spec 3.8 and 3.9): Adam with a falling learning rate, noise on every
 * window, selection by rollouts, since one-step errors hardly tell good networks from bad ones. Rejects with a `Problem` where
 * network, setting and trajectories do not fit together.
 */
export async function trainStepper(options: TrainStepperOptions): Promise<TrainedStepper> {
  checkTraining(options);
  const {
    config,
    setting,
    training,
    validation = [],
    horizon = 50,
    steps,
    batch,
    mirror,
    positionLossWeight = 0,
    seed,
    onBest,
    ...rest
  } = options;
  const stepsPerEpoch = rest.stepsPerEpoch ?? Math.min(500, Math.max(1, Math.round(steps / 10)));
  // v1's map decides who is whose neighbour, so the source has to see its weights as they are trained.
  let model = stepper(config, SMALLEST, { seed });
  const plane = () => ({
    weight: model.parameters.get("plane.weight")!.data,
    bias: model.parameters.get("plane.bias")!.data,
  });
  const windows = { batch, stepsPerEpoch, seed, mirror, cleanTargets: positionLossWeight > 0 };
  const source = windowSource(training, config, setting, windows, plane);
  model = stepper(config, source.size, { seed, trains: true });
  const before = (rest.resume?.history ?? []).map(({ metrics }) => metrics.rolloutError);
  let least = Math.min(Number.POSITIVE_INFINITY, ...before);
  let best: Uint8Array | undefined;
  const evaluate = async (): Promise<Record<string, number>> => {
    if (validation.length === 0) return {};
    const bytes = exportStepper(model, { config, setting });
    const error = await validationError(bytes, validation, horizon);
    if (error < least) {
      least = error;
      best = bytes;
      await onBest?.(bytes, error);
    }
    return { rolloutError: error };
  };
  const result = await train(model, stepperLoss(setting, positionLossWeight), source, {
    optimizer: { kind: "adam" },
    learningRate: 2e-3,
    schedule: { kind: "cosine", floor: 5e-3 },
    ...rest,
    epochs: Math.max(1, Math.round(steps / stepsPerEpoch)),
    evaluate,
  });
  return {
    ...result,
    model: best ?? exportStepper(model, { config, setting }),
  };
}

/** Mean rollout error; the largest number where a rollout fails, which early in training it may (JSON has no infinity). */
async function validationError(
  bytes: Uint8Array,
  trajectories: readonly SparseTrajectory[],
  horizon: number,
): Promise<number> {
  const simulator = await openSimulator(bytes);
  try {
    const { dim, history } = simulator.config;
    let sum = 0;
    for (const trajectory of trajectories) {
      const { predicted, truth } = await rolloutTrajectory(
        (window) => simulator.step(window, trajectory.types),
        trajectory,
        { seen: history + 1, most: horizon, dim },
      );
      sum += rolloutError(predicted, truth, dim);
    }
    return sum / trajectories.length;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return Number.MAX_VALUE;
  } finally {
    await simulator.release();
  }
}
