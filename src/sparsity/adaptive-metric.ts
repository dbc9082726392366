import type { FlatArrays } from "../engine/parameters.ts";
import type { Optimizer, OptimizerTarget } from "../nn/optimizers.ts";
import { createOptimizer } from "../nn/optimizers.ts";
import type { BlockAdamSpec } from "./block-adam.ts";
import { createBlockAdam } from "./block-adam.ts";
import type { Arrays, GroupPartition } from "./groups.ts";

/**
 * In what metric proximal steps follow those of Adam (wgsef.md 3.4).
 *
 * - `block`: one adaptive rate a group;
 * - `weight`: ordinary Adam, one a weight, with the exact proximal step in that metric;
 * - `decoupled`: ordinary Adam and the Euclidean proximal step: a heuristic, whose fixed points are not stationary.
 */
export const ADAPTIVE_METRICS = ["block", "weight", "decoupled"] as const;
export type AdaptiveMetricName = (typeof ADAPTIVE_METRICS)[number];

export interface AdaptiveMetric {
  optimizer: Optimizer;
  /** Of partition `i` in the step just taken: a number for each group or weight; undefined: 1. */
  metric(i: number): Float64Array | Arrays | undefined;
}

/** Adam for the target, and the metric in which its steps are gradient steps. */
export function createAdaptiveMetric(
  metric: AdaptiveMetricName,
  spec: BlockAdamSpec,
  target: OptimizerTarget,
  partitions: readonly GroupPartition[],
): AdaptiveMetric {
  if (metric === "block") {
    const optimizer = createBlockAdam(spec, target, partitions);
    return { optimizer, metric: optimizer.metric };
  }
  const { kind = "adam", betas = [0.9, 0.999], epsilon = 1e-8 } = spec;
  const adam = createOptimizer({ kind, betas, epsilon }, target);
  if (metric === "decoupled") return { optimizer: adam, metric: () => undefined };
  const { secondMoment } = adam.state as { secondMoment: FlatArrays };
  const names = new Set(partitions.flatMap((p) => p.parts.map((part) => part.parameter)));
  const metrics = Object.fromEntries(
    [...names].map((name) => [name, new Float32Array(secondMoment.arrays[name].length)]),
  );
  const { step } = adam;
  const optimizer = Object.assign(adam, {
    step: (learningRate: number) => {
      step(learningRate);
      const correction = 1 / Math.sqrt(1 - betas[1] ** adam.steps);
      for (const name of names) {
        const [h, v] = [metrics[name], secondMoment.arrays[name]];
        for (let i = 0; i < h.length; i++) h[i] = Math.sqrt(v[i]) * correction + epsilon;
      }
    },
  });
  return { optimizer, metric: () => metrics };
}
