/**
 * wgsef.md P3: synthetic digits, keep 6-10-20 of 16-32-64; every method beside its controls. Options: --seeds 0,1 and
 * --methods a,b run less, and write no results.
 */
import { parseArgs } from "node:util";
import { glyphs } from "../src/data/synthetic/glyphs.ts";
import { smallCnn } from "../src/nn/models/small-cnn.ts";
import { METHOD_NAMES, methodOf } from "../src/runs/methods.ts";
import type { Method } from "./support/compare.ts";
import { compareMethods, comparisonTable } from "./support/compare.ts";
import { writeResults } from "./support/results.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, methods: { type: "string" }, job: { type: "string" } },
});
/** The network has no batch norm, so there are no scales to prune by. */
const METHODS: readonly Method[] = [
  "dense",
  ...METHOD_NAMES.filter((name) => !methodOf(name).onScales && !methodOf(name).reference),
  "scratch",
];
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
  methods: METHODS.filter((method) => !values.methods || values.methods.split(",").includes(method)),
  seeds: (values.seeds ?? "0,1,2").split(",").map(Number),
  epochs: 24,
  batch: 100,
  learningRate: 0.08,
  weightDecay: 5e-4,
  lambda: { lambdaStart: 0.05, lambdaEnd: 3 },
  ranges: { "group-lasso": { lambdaStart: 0.002, lambdaEnd: 0.1 } },
  phases: { warmup: 4 / 24, select: 12 / 24 },
  threads: 1,
  parallel: 2,
};
const result = await compareMethods(comparison);
if (result) {
  console.log(`\n${comparisonTable(result)}`);
  const { data: _, build: __, ...settings } = comparison;
  if (!values.seeds && !values.methods)
    await writeResults("glyphs", "npm run protocol -- glyphs", { settings, ...result });
}
