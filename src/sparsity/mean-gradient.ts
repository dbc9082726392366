import type { FlatArrays } from "../engine/parameters.ts";
import { flatArrays } from "../engine/parameters.ts";
import type { OptimizerTarget } from "../nn/optimizers.ts";
import { createOptimizer } from "../nn/optimizers.ts";
import type { Arrays, GroupPartition } from "./groups.ts";

/** The mean of an epoch's gradients, which a certificate needs: that of one batch is mostly noise. */
export interface MeanGradient {
  /** Belongs into the optimiser's state, so that checkpoints hold it. */
  readonly state: Readonly<Record<"gradientSum", FlatArrays>>;
  /** Steps that were added so far: belongs into checkpoints as well. */
  steps: number;
  /** Adds the gradients as they are. */
  add(): void;
  /** −mean of what was added, for the parameters of a partition; undefined where nothing was. */
  descent(partition: GroupPartition): Arrays | undefined;
}

export function createMeanGradient({ parameters, gradients }: OptimizerTarget): MeanGradient {
  const sum = flatArrays(
    parameters.segments.map((s) => [s.name, s.shape] as const),
    parameters,
  );
  // sum += gradients, as the fastest pass over both that there is.
  const adder = createOptimizer({ kind: "sgd" }, { parameters: sum, gradients });
  const mean: MeanGradient = {
    state: { gradientSum: sum },
    steps: 0,
    add: () => {
      if (mean.steps++ === 0) sum.values.fill(0);
      adder.step(-1);
    },
    descent: ({ parts }) =>
      mean.steps === 0
        ? undefined
        : Object.fromEntries(
            [...new Set(parts.map((p) => p.parameter))].map((name) => [
              name,
              sum.arrays[name].map((g) => -g / mean.steps),
            ]),
          ),
  };
  return mean;
}
