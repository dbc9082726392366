import type { Graph } from "../engine/graph.ts";
import { initializer } from "../engine/graph.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import type { EpochRecord, TrainingSnapshot } from "./trainer.ts";

export interface EarlyStoppingOptions {
  /** Name of a figure of each epoch, such as one that `evaluate` of `train` measures. */
  metric: string;
  best: "least" | "greatest";
  /** Epochs without a new best after which training stops. */
  patience: number;
}

/**
 * Index of the epoch whose figure is best, the first of equal ones; undefined where none is a number. Throws a `Problem`
 * for a figure that is not measured.
 */
export function bestEpoch(
  history: readonly EpochRecord[],
  { metric, best }: Pick<EarlyStoppingOptions, "metric" | "best">,
): number | undefined {
  const sign = best === "least" ? -1 : 1;
  let found: number | undefined;
  let highest = Number.NEGATIVE_INFINITY;
  history.forEach(({ metrics }, i) => {
    const figure = metrics[metric];
    if (figure === undefined)
      throw new Problem(
        `there is no figure "${metric}" to stop by; there is ${Object.keys(metrics).join(", ")}`,
      );
    if (!(sign * figure > highest)) return;
    highest = sign * figure;
    found = i;
  });
  return found;
}

/** Whether the last `patience` epochs brought no new best: for `stopWhen` of `train`. */
export function outOfPatience(history: readonly EpochRecord[], options: EarlyStoppingOptions): boolean {
  return history.length - 1 - (bestEpoch(history, options) ?? -1) >= options.patience;
}

const WEIGHTS = ["parameter/", "statistic/"];

/** Of a snapshot, what the model is made of: parameters and running statistics, in copies. */
export function snapshotWeights({ tensors }: Pick<TrainingSnapshot, "tensors">): TrainingSnapshot["tensors"] {
  const own = Object.entries(tensors).filter(([key]) => WEIGHTS.some((kind) => key.startsWith(kind)));
  return Object.fromEntries(own.map(([key, t]) => [key, { ...t, data: t.data.slice() } as Tensor]));
}

/** Gives a model the weights that a snapshot of its training had, in place. */
export function restoreWeights(model: Graph, weights: TrainingSnapshot["tensors"]): void {
  for (const [key, { data }] of Object.entries(weights)) {
    const name = key.slice(key.indexOf("/") + 1);
    (initializer(model, name)!.data as Float32Array).set(data as Float32Array);
  }
}
