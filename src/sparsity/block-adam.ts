import type { FlatArrays } from "../engine/parameters.ts";
import type { Optimizer, OptimizerTarget } from "../nn/optimizers.ts";
import { createOptimizer } from "../nn/optimizers.ts";
import type { GroupPartition } from "./groups.ts";
import { groupRms, scaleGroups } from "./groups.ts";

export interface BlockAdam extends Optimizer {
  /** The metric h_j of each group of partition `i` in the step just taken. */
  metric(i: number): Float64Array;
}

/**
 * Adam with one adaptive rate a group: θ_j ← θ_j − α m̂_j/h_j with h_j = √(mean of v̂ over the group) + ε (wgsef.md 3.4).
 * A proximal step in the metric h is then closed-form and its fixed points are stationary points of the regularised
 * loss, which they are not for per-weight Adam. Parameters outside the partitions get ordinary Adam.
 */
export function createBlockAdam(
  { betas = [0.9, 0.999], epsilon = 1e-8 }: { betas?: readonly [number, number]; epsilon?: number },
  target: OptimizerTarget,
  partitions: readonly GroupPartition[],
): BlockAdam {
  const grouped = new Set(partitions.flatMap((p) => p.parts.map((part) => part.parameter)));
  const adam = createOptimizer({ kind: "adam", betas, epsilon }, target);
  const { firstMoment, secondMoment } = adam.state as { firstMoment: FlatArrays; secondMoment: FlatArrays };
  const weights = target.parameters.arrays;
  const metrics = partitions.map((p) => new Float64Array(p.groups));
  const before = Object.fromEntries([...grouped].map((name) => [name, weights[name].slice()]));
  const move = Object.fromEntries([...grouped].map((name) => [name, new Float32Array(weights[name].length)]));
  const optimizer: BlockAdam = {
    state: adam.state,
    steps: 0,
    metric: (i) => metrics[i],
    step: (learningRate) => {
      for (const name of grouped) before[name].set(weights[name]);
      adam.steps = optimizer.steps;
      adam.step(learningRate);
      optimizer.steps = adam.steps;
      const first = 1 - betas[0] ** optimizer.steps;
      const second = Math.sqrt(1 - betas[1] ** optimizer.steps);
      for (const name of grouped) {
        const m = firstMoment.arrays[name];
        const d = move[name];
        for (let i = 0; i < d.length; i++) d[i] = (-learningRate / first) * m[i];
      }
      partitions.forEach((partition, p) => {
        const rms = groupRms(partition, secondMoment.arrays);
        for (let j = 0; j < rms.length; j++) metrics[p][j] = rms[j] / second + epsilon;
        scaleGroups(
          partition,
          move,
          metrics[p].map((h) => 1 / h),
        );
      });
      for (const name of grouped) {
        const [w, old, d] = [weights[name], before[name], move[name]];
        for (let i = 0; i < w.length; i++) w[i] = old[i] + d[i];
      }
    },
  };
  return optimizer;
}
