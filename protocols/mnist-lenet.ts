/**
 * LeNet 20-50-500-10 on MNIST, keep 5-14-100: every method with the same epochs, three seeds. Options: --epochs n;
 * --methods a,b runs these alone and puts their rows in the place of the earlier ones.
 */
import { parseArgs } from "node:util";
import { loadDataset } from "../src/data/load.node.ts";
import { lenet } from "../src/nn/models/lenet.ts";
import type { Method } from "./support/compare.ts";
import { compareMethods, comparisonTable, withEarlierRows } from "./support/compare.ts";
import { DATA_DIR, writeResults } from "./support/results.ts";

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "10" },
    seeds: { type: "string", default: "0,1,2" },
    methods: { type: "string" },
    job: { type: "string" },
  },
});
const METHODS: readonly Method[] = ["wgsef", "dense", "magnitude", "group-lasso", "scratch"];
const methods = METHODS.filter((m) => !values.methods || values.methods.split(",").includes(m));
const data = await loadDataset("mnist", { dataDir: DATA_DIR });
const comparison = {
  data,
  build: ({ seed, batch, small }: { seed: number; batch: number; small: boolean }) =>
    lenet({
      inputShape: data.inputShape,
      classes: 10,
      seed,
      batch,
      ...(small && { widths: [5, 14, 100] as const }),
    }),
  keep: { conv1: 5, conv2: 14, fc1: 100 },
  methods,
  seeds: values.seeds.split(",").map(Number),
  epochs: Number(values.epochs),
  batch: 128,
  learningRate: 0.05,
  weightDecay: 5e-4,
  lambda: { lambdaStart: 0.08, lambdaEnd: 10 },
  ranges: { "group-lasso": { lambdaStart: 0.001, lambdaEnd: 0.1 } },
  phases: { warmup: 0.17, select: 0.5 },
  threads: 1,
  parallel: 2,
};
const found = await compareMethods(comparison);
if (found) {
  const result = methods.length < METHODS.length ? await withEarlierRows("mnist-lenet", found) : found;
  console.log(`\n${comparisonTable(result)}`);
  const { data: _, build: __, ...settings } = comparison;
  await writeResults("mnist-lenet", `npm run protocol -- mnist-lenet --epochs ${values.epochs}`, {
    settings: { ...settings, methods: METHODS },
    ...result,
  });
}
