/**
 * What pruning by norms alone costs: the network of the synthetic digits at several shares of its filters and neurons, by each
 * norm and at random, right after the cut and after a few epochs from there. Options: --seeds 0,1,2.
 */
import { parseArgs } from "node:util";
import { glyphs } from "../src/data/synthetic/glyphs.ts";
import type { Graph } from "../src/engine/graph.ts";
import { classification, classificationSource, evaluateClassifier } from "../src/nn/classification.ts";
import { smallCnn } from "../src/nn/models/small-cnn.ts";
import { train } from "../src/nn/trainer.ts";
import { IMPORTANCES, pruneModel } from "../src/runs/prune.ts";
import { accountModel } from "../src/sparsity/accounting.ts";
import { reportMarks } from "./support/marks.ts";
import { summarize, writeResults } from "./support/results.ts";

const { values } = parseArgs({ options: { seeds: { type: "string", default: "0,1,2" } } });
const KEEP = [0.9, 0.75, 0.5, 0.3];
const EPOCHS = { dense: 12, tuned: 4 };

const data = glyphs();
const accuracyOf = async (model: Graph) =>
  (await evaluateClassifier(model, data.test, data.scale, { threads: 1 })).accuracy;

async function trained(model: Graph, epochs: number, learningRate: number, seed: number): Promise<void> {
  await train(model, classification(), classificationSource(model, data.train, data.scale, { seed }), {
    epochs,
    optimizer: { kind: "sgd", momentum: 0.9 },
    learningRate,
    weightDecay: 5e-4,
    schedule: { kind: "cosine", floor: 0 },
    threads: 1,
  });
}

async function runOnce(seed: number) {
  const dense = smallCnn({ inputShape: data.inputShape, classes: 10, seed, batch: 100 });
  await trained(dense, EPOCHS.dense, 0.08, seed);
  const rows = [];
  for (const keep of KEEP) {
    const cut: Record<string, number> = {};
    for (const by of IMPORTANCES) cut[by] = await accuracyOf(pruneModel(dense, { keep, by, seed }).graph);
    const { graph } = pruneModel(dense, { keep });
    const macsRatio = accountModel(dense).total.macs / accountModel(graph).total.macs;
    await trained(graph, EPOCHS.tuned, 0.04, seed + 1000);
    rows.push({ keep, macsRatio, cut, tuned: await accuracyOf(graph) });
  }
  return { dense: await accuracyOf(dense), rows };
}

const seeds = values.seeds.split(",").map(Number);
const runs: Awaited<ReturnType<typeof runOnce>>[] = [];
for (const seed of seeds) {
  runs.push(await runOnce(seed));
  console.log(JSON.stringify(runs.at(-1)));
}
const rows = KEEP.map((keep, i) => {
  const over = (pick: (row: (typeof runs)[number]["rows"][number]) => number) =>
    summarize(runs.map((run) => pick(run.rows[i])));
  return {
    keep,
    macsRatio: runs[0].rows[i].macsRatio,
    cut: Object.fromEntries(IMPORTANCES.map((by) => [by, over((row) => row.cut[by])])),
    tuned: over((row) => row.tuned),
  };
});
reportMarks([
  {
    claim: "control: at every share, either norm is ahead of chance, on every seed",
    passed: rows.every(({ cut }) =>
      (["l2", "l1"] as const).every((by) => cut[by].values.every((v, i) => v > cut.random.values[i])),
    ),
  },
]);
await writeResults("prune", `npm run protocol -- prune --seeds ${values.seeds}`, {
  settings: { seeds, epochs: EPOCHS },
  dense: summarize(runs.map((run) => run.dense)),
  rows,
});
