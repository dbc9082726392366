/** wgsef.md P3: synthetic digits, keep 6-10-20 of 16-32-64; every method beside its controls. */
import { glyphs } from "../src/data/synthetic/glyphs.ts";
import { smallCnn } from "../src/nn/models/small-cnn.ts";
import { compareMethods, comparisonTable } from "./support/compare.ts";
import { writeResults } from "./support/results.ts";

const data = glyphs();
const comparison = {
  data,
  build: ({ seed, batch, small }: { seed: number; batch: number; small: boolean }) =>
    smallCnn({
      inputShape: data.inputShape,
      classes: 10,
      seed,
      batch,
      ...(small && { widths: [6, 10, 20] as const }),
    }),
  keep: { conv1: 6, conv2: 10, fc1: 20 },
  methods: ["dense", "wgsef", "wgsef-plain", "group-lasso", "none", "scratch"] as const,
  seeds: [0, 1, 2],
  epochs: 24,
  batch: 100,
  learningRate: 0.08,
  weightDecay: 5e-4,
  lambda: { start: 0.05, end: 3 },
  groupLassoLambda: { start: 0.002, end: 0.1 },
  phases: { warmup: 4 / 24, select: 12 / 24 },
  threads: 1,
  parallel: 2,
};
const result = await compareMethods(comparison);
if (result) {
  console.log(`\n${comparisonTable(result)}`);
  const { data: _, build: __, ...settings } = comparison;
  await writeResults("glyphs", "npm run protocol -- glyphs", { settings, ...result });
}
