import type { Graph } from "../../engine/graph.ts";
import { modularMlp } from "./modular-mlp.ts";
import { modularTransformer } from "./modular-transformer.ts";
import type { TaskName } from "./tasks.ts";
import { createTask, vocabularyOf } from "./tasks.ts";

/** All that the runs of an experiment depend on. */
export interface ExperimentSettings {
  task: TaskName;
  p: number;
  model: "mlp" | "transformer";
  /** Width of the embedding, neurons of the hidden layer. */
  width: number;
  hidden: number;
  /** Share of the samples to train on. */
  fraction: number;
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

/** The initialised network of an experiment. */
export function buildModel(settings: ExperimentSettings, seed: number): Graph {
  const { model, width, hidden } = settings;
  const task = createTask(settings.task, settings.p);
  const common = { classes: task.elements, width, hidden, seed };
  return model === "mlp"
    ? modularMlp({ ...common, vocabulary: vocabularyOf(task) })
    : modularTransformer({ ...common, vocabulary: task.elements });
}
