import type { Dataset } from "../../data/dataset.ts";
import type { Graph } from "../../engine/graph.ts";
import { Problem } from "../../problem.ts";
import { digitsLesson } from "./digits.ts";
import type { Lesson } from "./lesson.ts";
import { modularLesson } from "./lesson.ts";
import { modularMlp } from "./modular-mlp.ts";
import { modularTransformer } from "./modular-transformer.ts";
import { plainMlp } from "./plain-mlp.ts";
import { POLYNOMIAL_INPUTS, polynomialLesson } from "./polynomial.ts";
import type { TaskName } from "./tasks.ts";
import { createTask, splitTask, TASKS, vocabularyOf } from "./tasks.ts";
import type { TokenWaves } from "./token-waves.ts";
import { tokenWaves } from "./token-waves.ts";

/** What there is to learn, by name, and what it is. */
export const SUBJECTS = {
  ...TASKS,
  mnist: "1000 handwritten digits, initial weights eight times as large",
  polynomial: "regression of a random polynomial, for contrast: nothing groks",
};

export type SubjectName = keyof typeof SUBJECTS;

/** All that the runs of an experiment depend on. */
export interface ExperimentSettings {
  task: SubjectName;
  /** Modulus of a modular task. */
  p: number;
  model: "mlp" | "transformer";
  /** Of the transformer. Default 1. */
  blocks?: number;
  /** Width of the embedding, neurons of the hidden layer; without an embedding, neurons of the second and first one. */
  width: number;
  hidden: number;
  /** Share of the samples to train on; where there is no end of samples, how many. */
  fraction: number;
  /** What initial weights are multiplied by, for `mnist` and `polynomial`. Default 1. */
  initialScale?: number;
  learningRate: number;
  weightDecay: number;
  evaluateEvery: number;
  /** The base network's limit, and that of every other run. */
  baseSteps: number;
  steps: number;
  /** The base trains on for this many steps after it has generalised for good; its weights then give the ticket's mask. */
  after: number;
  /** Ratio of the ticket that every control is compared with, and all ratios. */
  ratio: number;
  ratios: readonly number[];
  /** The only runs beside base and ticket; all if not given. */
  runs?: readonly string[];
  /**
   * Ends a control that has not generalised after so many times the ticket's own generalisation time, and `least`
   * steps: that it is slower is then decided. The ticket's run comes before all others.
   */
  giveUp?: { times: number; least: number };
  /** Trains tickets of every ratio under every weight decay, and nothing else; ratio 0: the dense network. */
  sweep?: { ratios: readonly number[]; decays: readonly number[] };
}

/** The settings of grokking.md section 4, "quick": seconds a run. */
export const QUICK: ExperimentSettings = {
  task: "modadd",
  p: 31,
  model: "mlp",
  width: 256,
  hidden: 48,
  fraction: 0.7,
  learningRate: 2e-3,
  weightDecay: 1,
  evaluateEvery: 10,
  baseSteps: 14_000,
  steps: 4000,
  after: 4000,
  ratio: 0.6,
  ratios: [0.2, 0.4, 0.6, 0.7, 0.8, 0.9],
};

/** The published configuration (grokking.md section 2). */
export const FULL: ExperimentSettings = {
  ...QUICK,
  p: 67,
  width: 500,
  fraction: 0.4,
  learningRate: 1e-3,
  evaluateEvery: 20,
  baseSteps: 40_000,
  steps: 16_000,
};

/** MNIST with few samples and large initial weights (grokking.md section 2). */
export const DIGITS: ExperimentSettings = {
  ...FULL,
  task: "mnist",
  width: 200,
  hidden: 200,
  fraction: 1000,
  initialScale: 8,
  learningRate: 1e-3,
  weightDecay: 0.1,
  evaluateEvery: 50,
  baseSteps: 20_000,
  steps: 4000,
  after: 1500,
};

/** A network that has nothing to grok: for contrast. */
export const POLYNOMIAL: ExperimentSettings = {
  ...QUICK,
  task: "polynomial",
  width: 128,
  hidden: 128,
  fraction: 1000,
  weightDecay: 0.1,
  baseSteps: 6000,
  after: 500,
};

/** Whether a task is an operation on tokens. */
export function isModular(task: SubjectName): task is TaskName {
  return Object.hasOwn(TASKS, task);
}

/** What functions of the task's tokens are made of; undefined where there are no tokens, or they have no waves. */
export function wavesOfTask({ task, p }: Pick<ExperimentSettings, "task" | "p">): TokenWaves | undefined {
  return isModular(task) ? tokenWaves(task, p) : undefined;
}

/** Whether a task is one for every p. */
export function hasModulus(task: SubjectName): boolean {
  return isModular(task) && task !== "s5";
}

/** The initialised network of an experiment. */
export function buildModel(settings: ExperimentSettings, seed: number): Graph {
  const { model, width, hidden, blocks, initialScale: scale } = settings;
  if (!isModular(settings.task)) {
    const [inputs, outputs] = settings.task === "mnist" ? [784, 10] : [POLYNOMIAL_INPUTS, 1];
    return plainMlp({ sizes: [inputs, hidden, width, outputs], scale, seed });
  }
  const task = createTask(settings.task, settings.p);
  const common = { classes: task.elements, width, hidden, seed };
  return model === "mlp"
    ? modularMlp({ ...common, vocabulary: vocabularyOf(task) })
    : modularTransformer({ ...common, vocabulary: task.elements, blocks });
}

/** What the runs of a seed learn. Throws a `Problem` where the task needs images that are not given. */
export function createLesson(
  settings: ExperimentSettings,
  seed: number,
  model: Graph,
  images?: Dataset,
): Lesson {
  const { task: name, p, fraction } = settings;
  if (name === "polynomial") return polynomialLesson(fraction, seed);
  if (name === "mnist") {
    if (!images) throw new Problem("the task mnist needs its images; load them with loadDataset");
    return digitsLesson(images, fraction, seed);
  }
  const task = createTask(name, p);
  return modularLesson(model, task, splitTask(task, fraction, seed));
}
