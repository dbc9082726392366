/** LeNet 20-50-500-10 on MNIST, keep 5-14-100: every method with the same epochs, three seeds. Options: --epochs n. */
import { parseArgs } from "node:util";
import { loadDataset } from "../src/data/load.node.ts";
import { lenet } from "../src/nn/models/lenet.ts";
import { compareMethods, comparisonTable } from "./support/compare.ts";
import { DATA_DIR, writeResults } from "./support/results.ts";

const { values } = parseArgs({ options: { epochs: { type: "string", default: "10" }, seeds: { type: "string", default: "0,1,2" }, job: { type: "string" } } });
const data = await loadDataset("mnist", { dataDir: DATA_DIR });
const comparison = {
  data,
  build: ({ seed, batch, small }: { seed: number; batch: number; small: boolean }) =>
    lenet({ inputShape: data.inputShape, classes: 10, seed, batch, ...(small && { widths: [5, 14, 100] as const }) }),
  keep: { conv1: 5, conv2: 14, fc1: 100 },
  methods: ["wgsef", "dense", "none", "group-lasso", "scratch"] as const,
  seeds: values.seeds.split(",").map(Number),
  epochs: Number(values.epochs),
  batch: 128,
  learningRate: 0.05,
  weightDecay: 5e-4,
  lambda: { start: 0.08, end: 10 },
  phases: { warmup: 0.17, select: 0.5 },
  threads: 1,
  parallel: 2,
};
const result = await compareMethods(comparison);
if (result) {
  console.log(`\n${comparisonTable(result)}`);
  const { data: _, build: __, ...settings } = comparison;
  await writeResults("mnist-lenet", `npm run protocol -- mnist-lenet --epochs ${values.epochs}`, { settings, ...result });
}
