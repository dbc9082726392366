import type { Graph } from "../engine/graph.ts";
import type { FlatArrays } from "../engine/parameters.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { firstNonFinite } from "./diagnosis.ts";
import type { Optimizer, OptimizerSpec, OptimizerTarget } from "./optimizers.ts";
import { clipNorm, createOptimizer } from "./optimizers.ts";
import type { ScheduleSpec } from "./schedules.ts";
import { createSchedule } from "./schedules.ts";
import type { GradientAt, TrainingMoment } from "./sparsifier.ts";
import type { Objective, TrainingStepOptions } from "./training-step.ts";
import { createTrainingStep } from "./training-step.ts";

/** Where batches come from. What an epoch holds must depend on its number alone, so that training can resume exactly. */
export interface TrainingSource {
  readonly stepsPerEpoch: number;
  /** The feeds of the steps from `from` on; arrays may be reused between steps. */
  feeds(epoch: number, from: number): Iterable<Readonly<Record<string, Tensor>>>;
}

export interface TrainOptions extends SessionOptions, TrainingStepOptions {
  epochs: number;
  optimizer: OptimizerSpec;
  learningRate: number;
  schedule?: ScheduleSpec;
  /** Steps of linear warm-up of the learning rate. */
  warmup?: number;
  /** Weight decay of all parameters, or by name. Default 0. */
  weightDecay?: number | ((parameter: string) => number);
  /** Largest Euclidean norm of the gradient. */
  clipNorm?: number;
  /** Figures of the model as it stands, e.g. test accuracy; called after each epoch. */
  evaluate?: () => Promise<Record<string, number>>;
  /** Called after each step, and waited for where it returns a promise. */
  onStep?: (progress: StepProgress) => unknown;
  onEpoch?: (record: EpochRecord) => void | Promise<void>;
  /** Ends training after an epoch when it returns true. */
  stopWhen?: (history: readonly EpochRecord[]) => boolean;
  /** Saves where training stands: called after every epoch and every `saveEvery` steps. */
  save?: (snapshot: () => TrainingSnapshot) => Promise<void>;
  saveEvery?: number;
  resume?: TrainingSnapshot;
  /** Training stops before the next step once this is aborted, after a last `save`. */
  signal?: AbortSignal;
}

export interface StepProgress {
  step: number;
  steps: number;
  epoch: number;
  loss: number;
  learningRate: number;
}

export interface EpochRecord {
  epoch: number;
  step: number;
  /** Mean over the epoch's steps, this run's part of it. */
  loss: number;
  learningRate: number;
  /** Training metrics are means over the epoch; those of `evaluate` and of the sparsifier are as they are. */
  metrics: Record<string, number>;
}

/** Everything that the rest of a run depends on. */
export interface TrainingSnapshot {
  /** Parameters, optimiser state and running statistics, by name. */
  tensors: Record<string, Tensor>;
  progress: {
    epoch: number;
    stepInEpoch: number;
    step: number;
    optimizerSteps: number;
    /** Optimiser steps at which the state of some parameters began anew. */
    restarts?: Record<string, number>;
    sums: Record<string, number>;
  };
  history: EpochRecord[];
  sparsifier: unknown;
}

export interface TrainingResult {
  history: EpochRecord[];
  /** False where the signal stopped training early. */
  finished: boolean;
}

/**
 * Trains a model in place. One step is one run of the compiled graph, then one pass of the optimiser over flat arrays,
 * then the sparsifier. Throws a `Problem` naming step and layer when the loss stops being finite, and at the start for a
 * learning rate that is no number from 0 up.
 */
export async function train(
  model: Graph,
  objective: Objective,
  source: TrainingSource,
  options: TrainOptions,
): Promise<TrainingResult> {
  const { epochs, sparsifier, resume, saveEvery = Number.POSITIVE_INFINITY } = options;
  if (!Number.isInteger(epochs) || epochs < 0)
    throw new Problem(`cannot train for ${epochs} epochs: give a whole number`);
  const { stepsPerEpoch } = source;
  if (!Number.isInteger(stepsPerEpoch) || stepsPerEpoch < 1)
    throw new Problem(
      `the source has ${stepsPerEpoch} steps an epoch: it takes at least one, and so as many samples as the model's batch`,
    );
  if (!(options.learningRate >= 0 && Number.isFinite(options.learningRate)))
    throw new Problem(`the learning rate is ${options.learningRate}; give a number above 0, such as 0.001`);
  const step = await createTrainingStep(model, objective, options);
  const { parameters, gradients } = step;
  const target: OptimizerTarget = {
    parameters,
    gradients,
    weightDecay: decayRule(options),
    rate: sparsifier?.rate && ((name) => sparsifier.rate!(name)),
  };
  const own = (only?: (parameter: string) => boolean) =>
    createOptimizer(options.optimizer, { ...target, only });
  const optimizer = sparsifier?.createOptimizer?.(target, own, options.optimizer) ?? own();
  const schedule = createSchedule(options.schedule ?? { kind: "constant" }, options.warmup);
  const totalSteps = epochs * stepsPerEpoch;
  const progress = {
    epoch: 0,
    stepInEpoch: 0,
    step: 0,
    optimizerSteps: 0,
    restarts: {} as Record<string, number>,
    sums: {} as Record<string, number>,
  };
  const history: EpochRecord[] = [];
  if (resume) {
    restoreTensors(resume.tensors, stateTensors(model, parameters, optimizer));
    Object.assign(progress, structuredClone(resume.progress));
    optimizer.steps = progress.optimizerSteps;
    for (const [name, step] of Object.entries(progress.restarts)) optimizer.restarts?.set(name, step);
    history.push(...structuredClone(resume.history));
    sparsifier?.restore?.(resume.sparsifier);
  }
  const snapshot = (): TrainingSnapshot => ({
    tensors: stateTensors(model, parameters, optimizer),
    progress: structuredClone({
      ...progress,
      optimizerSteps: optimizer.steps,
      restarts: Object.fromEntries(optimizer.restarts ?? []),
    }),
    history: structuredClone(history),
    sparsifier: sparsifier?.state?.(),
  });
  const momentAt = (learningRate: number): TrainingMoment => ({
    parameters,
    gradients,
    optimizer,
    learningRate,
    epoch: progress.epoch,
    epochs,
    step: progress.step,
  });
  const ownFeeds = () => sparsifier?.feeds?.({ ...progress, epochs });
  const evaluate = options.evaluate ?? (async () => ({}));
  const gradientOfEpoch: GradientAt = async (weights, into) => {
    const part = new Float32Array(into.length);
    into.fill(0);
    for (const feeds of source.feeds(progress.epoch, 0)) {
      await step.gradientAt({ ...feeds, ...ownFeeds() }, weights, part);
      for (let i = 0; i < into.length; i++) into[i] += part[i] / stepsPerEpoch;
    }
  };

  const wrongCount = (given: string) =>
    new Problem(
      `the source gave ${given} the ${stepsPerEpoch} batches of epoch ${progress.epoch + 1} that its stepsPerEpoch says`,
    );

  // Asked before an epoch rather than after one, so that a resumed run that was over stays over.
  const stopped = () =>
    progress.stepInEpoch === 0 &&
    history.length > 0 &&
    (options.stopWhen?.(history) || sparsifier?.stopWhen?.(history));

  let finished = true;
  try {
    while (!stopped() && progress.epoch < epochs) {
      // A resumed epoch may have no step left: then this is the rate of its last one.
      let learningRate = options.learningRate * schedule(Math.max(0, progress.step - 1), totalSteps);
      if (progress.stepInEpoch === 0)
        await sparsifier?.beforeEpoch?.(momentAt(learningRate), gradientOfEpoch);
      for (const feeds of source.feeds(progress.epoch, progress.stepInEpoch)) {
        if (options.signal?.aborted) {
          finished = false;
          break;
        }
        if (progress.stepInEpoch === stepsPerEpoch) throw wrongCount("more than");
        learningRate = options.learningRate * schedule(progress.step, totalSteps);
        const allFeeds = { ...feeds, ...ownFeeds() };
        const figures = await step.run(allFeeds);
        if (!Number.isFinite(figures.loss))
          throw await divergence(model, objective, feeds, figures.loss, {
            step: progress.step + 1,
            epoch: progress.epoch + 1,
          });
        await sparsifier?.beforeStep?.(momentAt(learningRate), (weights, into) =>
          step.gradientAt(allFeeds, weights, into),
        );
        if (options.clipNorm !== undefined) clipNorm(gradients, options.clipNorm);
        optimizer.step(learningRate);
        await sparsifier?.afterStep?.(momentAt(learningRate));
        for (const name in figures) progress.sums[name] = (progress.sums[name] ?? 0) + figures[name];
        progress.step++;
        progress.stepInEpoch++;
        await options.onStep?.({
          step: progress.step,
          steps: totalSteps,
          epoch: progress.epoch,
          loss: figures.loss,
          learningRate,
        });
        if (progress.step % saveEvery === 0) await options.save?.(snapshot);
      }
      if (!finished) break;
      if (progress.stepInEpoch < stepsPerEpoch) throw wrongCount(`${progress.stepInEpoch} of`);
      await sparsifier?.atBoundary?.(momentAt(learningRate), evaluate);
      const { loss, ...means } = Object.fromEntries(
        Object.entries(progress.sums).map(([name, sum]) => [name, sum / stepsPerEpoch]),
      );
      const metrics = { ...means, ...(await evaluate()), ...sparsifier?.metrics?.() };
      const record = { epoch: progress.epoch, step: progress.step, loss, learningRate, metrics };
      history.push(record);
      progress.epoch++;
      progress.stepInEpoch = 0;
      progress.sums = {};
      await options.onEpoch?.(record);
      await options.save?.(snapshot);
    }
    if (!finished) await options.save?.(snapshot);
  } finally {
    await step.release();
  }
  return { history, finished };
}

function decayRule({ weightDecay = 0, sparsifier }: TrainOptions): (parameter: string) => number {
  const rule = typeof weightDecay === "number" ? () => weightDecay : weightDecay;
  return (name) => (sparsifier?.ownsWeightDecay?.has(name) ? 0 : rule(name));
}

/** All arrays that training changes, under the names a checkpoint uses: the live arrays, not copies. */
function stateTensors(model: Graph, parameters: FlatArrays, optimizer: Optimizer): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, t] of parameters.tensors) tensors[`parameter/${name}`] = t;
  for (const [kind, arrays] of Object.entries(optimizer.state))
    for (const [name, t] of arrays.tensors) tensors[`${kind}/${name}`] = t;
  for (const node of model.nodes)
    if (node.op === "BatchNormalization")
      for (const i of [3, 4]) tensors[`statistic/${node.inputs[i]}`] = model.constants.get(node.inputs[i])!;
  return tensors;
}

function restoreTensors(from: Readonly<Record<string, Tensor>>, to: Readonly<Record<string, Tensor>>): void {
  for (const [name, target] of Object.entries(to)) {
    const source = from[name];
    if (!source) throw new Problem(`the checkpoint has no "${name}"; it belongs to another model or method`);
    if (source.data.length !== target.data.length)
      throw new Problem(
        `the checkpoint's "${name}" has shape [${source.shape}], the model's [${target.shape}]; it belongs to another model`,
      );
    (target.data as Float32Array).set(source.data as Float32Array);
  }
}

async function divergence(
  model: Graph,
  objective: Objective,
  feeds: Readonly<Record<string, Tensor>>,
  loss: number,
  at: { step: number; epoch: number },
): Promise<Problem> {
  const place = await firstNonFinite(model, objective, feeds);
  return new Problem(
    `the loss became ${loss} at step ${at.step} (epoch ${at.epoch}); the first value that is not finite is in ${place}`,
  );
}
