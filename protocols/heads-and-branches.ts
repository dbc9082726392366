/**
 * Groups that are no filters, on the synthetic digits: attention heads and hidden neurons of an image transformer, and
 * residual branches of a ResNet; every method beside its controls. Options: --seeds 0,1,2 and --networks transformer,resnet
 * run these alone and write no results; --parallel n so many at a time.
 */
import { parseArgs } from "node:util";
import { glyphs } from "../src/data/synthetic/glyphs.ts";
import { resnet } from "../src/nn/models/resnet.ts";
import type { Comparison, ComparisonResult, Method, MethodResult } from "./support/compare.ts";
import { compareMethods, comparisonTable } from "./support/compare.ts";
import { imageTransformer } from "./support/image-transformer.ts";
import { ownJob } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { writeResults } from "./support/results.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    networks: { type: "string" },
    parallel: { type: "string", default: "2" },
    job: { type: "string" },
  },
});

const METHODS: readonly Method[] = [
  "dense",
  "wgsef",
  "group-lasso",
  "magnitude",
  "gradual",
  "taylor",
  "random",
];
const common = {
  seeds: (values.seeds ?? "0,1,2").split(",").map(Number),
  batch: 100,
  weightDecay: 5e-4,
  phases: { warmup: 4 / 24, select: 12 / 24 },
  lambda: { lambdaStart: 0.05, lambdaEnd: 3 },
  ranges: { "group-lasso": { lambdaStart: 0.002, lambdaEnd: 0.1 } },
  threads: 1,
  parallel: Number(values.parallel),
};
const COMPARISONS: Record<string, Comparison> = {
  transformer: {
    ...common,
    data: glyphs({ train: 12_000 }),
    groups: "head,neuron",
    build: ({ seed, batch, small }) =>
      imageTransformer({
        seed,
        batch,
        ...(small ? { heads: 2, mlpWidth: 32 } : { heads: 6, mlpWidth: 128 }),
      }),
    keep: { "attention1.query": 2, "attention2.query": 2, "mlp1.in": 32, "mlp2.in": 32 },
    methods: [...METHODS, "scratch"],
    epochs: 16,
    optimizer: { kind: "adam" },
    learningRate: 3e-3,
  },
  resnet: {
    ...common,
    data: glyphs(),
    groups: "layer",
    build: ({ seed, batch }) =>
      resnet({ inputShape: [1, 16, 16], classes: 10, widths: [8, 16], blocks: [4, 4], seed, batch }),
    keep: { branches: 3 },
    methods: METHODS,
    epochs: 24,
    learningRate: 0.08,
  },
};

// A job's process is started for one network; `groups` in its settings says for which.
const own = ownJob<{ settings: Pick<Comparison, "groups"> }>();
const names = Object.keys(COMPARISONS).filter((name) =>
  own
    ? COMPARISONS[name].groups === own.settings.groups
    : !values.networks || values.networks.split(",").includes(name),
);
const results: Record<string, ComparisonResult & { settings: object }> = {};
for (const name of names) {
  const found = await compareMethods(COMPARISONS[name]);
  if (!found) continue;
  console.log(`\n${name}\n${comparisonTable(found)}\n`);
  const { data: _, build: __, ...settings } = COMPARISONS[name];
  results[name] = { settings, ...found };
}
if (!own) {
  reportMarks(Object.entries(results).flatMap(([name, { methods }]) => marksOf(name, methods)));
  if (!values.seeds && !values.networks)
    await writeResults("heads-and-branches", "npm run protocol -- heads-and-branches", { results });
}

function marksOf(name: string, methods: readonly MethodResult[]) {
  const of = (method: Method) => methods.find((m) => m.method === method)!;
  const [wgsef, dense, magnitude] = [of("wgsef"), of("dense"), of("magnitude")];
  const { keep } = COMPARISONS[name];
  const exact = (counts: Record<string, number>) =>
    Object.entries(keep).every(([layer, k]) => counts[layer] === k);
  return [
    {
      claim: `${name}: wgsef leaves exactly ${Object.values(keep).join("-")} by training alone, on every seed`,
      passed: wgsef.natural.every(exact) && wgsef.kept.every(exact),
    },
    {
      claim: `${name}: its cut costs at most 2 points, on every seed`,
      passed: wgsef.commitChange.every((v) => v >= -0.02),
    },
    {
      claim: `${name}: it is at most 4 points below the dense network, on every seed`,
      passed: wgsef.accuracy.values.every((v, i) => v >= dense.accuracy.values[i] - 0.04),
    },
    {
      claim: `${name}: control: without a penalty the cut costs more than 20 points, on every seed`,
      passed: magnitude.commitChange.every((v) => v < -0.2),
    },
  ];
}
