import type { Graph } from "../../engine/graph.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Objective } from "../../nn/training-step.ts";
import { exactCrossEntropy } from "./exact-cross-entropy.ts";
import type { Task, TaskSplit } from "./tasks.ts";
import { taskFeeds } from "./tasks.ts";

/** What a model reads, its samples along the first axis, and what it should answer. */
export type Samples = Readonly<Record<string, Tensor>>;

/** What a network learns from and is judged by. */
export interface Lesson {
  train: Samples;
  test: Samples;
  objective: Objective;
  /** What GraSP's scores are of; the objective where it is not given. */
  graspObjective?: Objective;
  /** How well outputs answer, from 0 to 1. */
  score: (outputs: Tensor<"float32">, samples: Samples) => number;
  /** Score from which on something counts as learnt. */
  threshold: number;
}

/** A task by its split: exact cross-entropy, judged by the share of right classes. */
export function modularLesson(model: Graph, task: Task, split: TaskSplit): Lesson {
  return {
    train: taskFeeds(task, split.train, model),
    test: taskFeeds(task, split.test, model),
    objective: exactCrossEntropy(),
    // Its authors divide the logits by 200.
    graspObjective: exactCrossEntropy({ temperature: 200 }),
    score: shareOfHits,
    threshold: 0.95,
  };
}

/** Share of the rows of `outputs` [samples, classes] whose largest element is at their `labels`. */
export function shareOfHits(
  { data, shape: [rows, classes] }: Tensor<"float32">,
  { labels }: Samples,
): number {
  let hits = 0;
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (data[row * classes + c] > data[row * classes + best]) best = c;
    hits += Number(best === labels.data[row]);
  }
  return hits / rows;
}
