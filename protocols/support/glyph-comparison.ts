import { glyphs } from "../../src/data/synthetic/glyphs.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import type { Comparison, Method } from "./compare.ts";

/** P3 (wgsef.md 6): synthetic digits, 6-10-20 of 16-32-64 to be left, in 24 epochs. */
export function glyphComparison(choice: {
  methods: readonly Method[];
  seeds: readonly number[];
  epochs?: number;
}): Comparison {
  const data = glyphs();
  return {
    data,
    build: ({ seed, batch, small }) =>
      smallCnn({
        inputShape: data.inputShape,
        classes: 10,
        seed,
        batch,
        ...(small && { widths: [6, 10, 20] as const }),
      }),
    keep: { conv1: 6, conv2: 10, fc1: 20 },
    epochs: 24,
    batch: 100,
    learningRate: 0.08,
    weightDecay: 5e-4,
    lambda: { lambdaStart: 0.05, lambdaEnd: 3 },
    ranges: { "group-lasso": { lambdaStart: 0.002, lambdaEnd: 0.1 } },
    phases: { warmup: 4 / 24, select: 12 / 24 },
    threads: 1,
    parallel: 2,
    ...choice,
  };
}
