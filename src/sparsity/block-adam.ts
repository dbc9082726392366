import type { FlatArrays } from "../engine/parameters.ts";
import { flatArrays } from "../engine/parameters.ts";
import type { Optimizer, OptimizerTarget } from "../nn/optimizers.ts";
import { createOptimizer } from "../nn/optimizers.ts";
import type { GroupPartition } from "./groups.ts";
import { groupRms, moveGroups } from "./groups.ts";

export interface BlockAdam extends Optimizer {
  /** The metric h_j of each group of partition `i` in the step just taken. */
  metric(i: number): Float64Array;
}

export interface BlockAdamSpec {
  /** What weight decay does to weights in no group: `adam` (default) adds it to the gradient, `adamw` keeps it apart. */
  kind?: "adam" | "adamw";
  betas?: readonly [number, number];
  epsilon?: number;
}

/**
 * Adam with one adaptive rate a group: θ_j ← θ_j − α m̂_j/h_j with h_j = √(mean of v̂ over the group) + ε (wgsef.md 3.4).
 * A proximal step in the metric h is then closed-form and its fixed points are stationary points of the regularised
 * loss, which they are not for per-weight Adam. Weights in no group get ordinary Adam.
 */
export function createBlockAdam(
  { kind = "adam", betas = [0.9, 0.999], epsilon = 1e-8 }: BlockAdamSpec,
  target: OptimizerTarget,
  partitions: readonly GroupPartition[],
): BlockAdam {
  const adam = createOptimizer({ kind, betas, epsilon }, target);
  const { firstMoment, secondMoment } = adam.state as { firstMoment: FlatArrays; secondMoment: FlatArrays };
  const metrics = partitions.map((p) => new Float64Array(p.groups));
  const ordinaryStep = adam.step;
  const { parameters } = target;
  const grouped = new Set(partitions.flatMap((p) => p.parts.map((part) => part.parameter)));
  const segments = parameters.segments.filter(({ name }) => grouped.has(name));
  const before = flatArrays(
    segments.map(({ name, shape }) => [name, shape] as const),
    parameters,
  );

  return Object.assign(adam, {
    metric: (i: number) => metrics[i],
    step: (learningRate: number) => {
      for (const { name } of segments) before.arrays[name].set(parameters.arrays[name]);
      ordinaryStep(learningRate);
      const rate = learningRate / (1 - betas[0] ** adam.steps);
      const bias = Math.sqrt(1 - betas[1] ** adam.steps);
      partitions.forEach((partition, p) => {
        const h = metrics[p];
        groupRms(partition, secondMoment.arrays).forEach((rms, j) => (h[j] = rms / bias + epsilon));
        const factors = h.map((hj) => -rate / hj);
        moveGroups(partition, parameters.arrays, before.arrays, firstMoment.arrays, factors);
      });
    },
  });
}
