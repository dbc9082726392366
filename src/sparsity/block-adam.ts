import type { FlatArrays } from "../engine/parameters.ts";
import type { Optimizer, OptimizerTarget } from "../nn/optimizers.ts";
import { createOptimizer } from "../nn/optimizers.ts";
import type { GroupPartition } from "./groups.ts";
import { forEachRun, groupRms, scaleGroups } from "./groups.ts";

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
  const weights = target.parameters.arrays;
  const names = [...new Set(partitions.flatMap((p) => p.parts.map((part) => part.parameter)))];
  const before = Object.fromEntries(names.map((name) => [name, weights[name].slice()]));
  const move = Object.fromEntries(names.map((name) => [name, weights[name].slice()]));
  const loose = Object.fromEntries(
    names.map((name) => [name, outsideGroups(name, weights[name], partitions)]),
  );

  return Object.assign(adam, {
    metric: (i: number) => metrics[i],
    step: (learningRate: number) => {
      for (const name of names) before[name].set(weights[name]);
      ordinaryStep(learningRate);
      for (const name of names) move[name].set(firstMoment.arrays[name]);
      const rate = learningRate / (1 - betas[0] ** adam.steps);
      const bias = Math.sqrt(1 - betas[1] ** adam.steps);
      partitions.forEach((partition, p) => {
        const h = metrics[p];
        groupRms(partition, secondMoment.arrays).forEach((rms, j) => (h[j] = rms / bias + epsilon));
        scaleGroups(
          partition,
          move,
          h.map((hj) => -rate / hj),
        );
      });
      for (const name of names) {
        const [w, old, d] = [weights[name], before[name], move[name]];
        for (const i of loose[name]) d[i] = w[i] - old[i];
        for (let i = 0; i < w.length; i++) w[i] = old[i] + d[i];
      }
    },
  });
}

/** Elements of an array that belong to no group. */
function outsideGroups(
  name: string,
  { length }: Float32Array,
  partitions: readonly GroupPartition[],
): readonly number[] {
  const inside = new Uint8Array(length);
  for (const { groups, parts } of partitions)
    for (const part of parts)
      if (part.parameter === name) forEachRun(part, groups, (_, from, to) => inside.fill(1, from, to));
  const outside: number[] = [];
  for (let i = 0; i < length; i++) if (!inside[i]) outside.push(i);
  return outside;
}
