/**
 * turbovbi.md P2, P3 and P3b: a small network on small MNIST at equal density by structure, whole neurons by gates, and
 * index bits; draws the supports of the first layer. Options: --seeds 0,1,2; --parallel n.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { likeliestWeights } from "../src/sparsity/turbo-vbi/choose.ts";
import type { PriorSpec } from "../src/sparsity/turbo-vbi/priors/kinds.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";
import { drawSupports } from "./support/turbo/draw-supports.ts";
import type { SmallJob, SmallResult } from "./support/turbo/small-runs.ts";
import { runSmall } from "./support/turbo/small-runs.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "0,1,2" },
    parallel: { type: "string", default: "2" },
    job: { type: "string" },
  },
});

const LAMBDA = 0.1;
const chain: PriorSpec = { kind: "chain", lambda: LAMBDA, meanRun: 1 / 0.27 };
const iid: PriorSpec = { kind: "iid", lambda: LAMBDA };
/** p01 = .15, p10 = .5 along rows; .1, .4 along columns. */
const product: PriorSpec = {
  kind: "product",
  row: { lambda: 0.15 / 0.65, meanRun: 2 },
  column: { lambda: 0.2, meanRun: 2.5 },
};
const gate = (share: number): PriorSpec => ({ ...chain, kind: "gate", gate: share });

const equalDensity: Omit<SmallJob, "seed" | "tune">[] = [
  { method: "random" },
  { method: "magnitude" },
  { method: "iid", prior: iid },
  { method: "chain", prior: chain },
  { method: "longer chain", prior: { kind: "chain", lambda: 0.05, meanRun: 1 / 0.19 } },
  { method: "product of chains", prior: product },
  { method: "Ising", prior: { kind: "ising", density: 0.1, down: 0.3, along: 0.3 } },
  { method: "chain without coupling", prior: { kind: "chain", lambda: LAMBDA, meanRun: 1 / (1 - LAMBDA) } },
  { method: "chain, pixels permuted", prior: chain, permuted: true },
];
const ownDensity: Omit<SmallJob, "seed" | "tune">[] = [
  { method: "chain, own mask", prior: chain, own: true },
  { method: "gate .02, own mask", prior: gate(0.02), own: true },
  { method: "gate 1e-6, own mask", prior: gate(1e-6), own: true },
  { method: "chain, v = .15", prior: chain, variance: 0.15, own: true },
  { method: "iid, v = .15", prior: iid, variance: 0.15, own: true },
];

const own = ownJob<SmallJob>();
if (own) finishJob(await runSmall(own));
else await compare();

async function compare(): Promise<void> {
  const seeds = values.seeds.split(",").map(Number);
  const rows = [
    ...equalDensity.map((row) => ({ ...row, tune: 10 })),
    ...ownDensity.map((row) => ({ ...row, tune: 6 })),
  ];
  const jobs = seeds.flatMap((seed) => rows.map((row): SmallJob => ({ seed, ...row })));
  const results = await runJobs<SmallJob, SmallResult>(
    jobs,
    Number(values.parallel),
    join(ROOT, "runs", "protocols"),
    ({ seed, method }, { accuracy, layers, neurons }) =>
      console.log(
        `seed ${seed} ${method}: ${(100 * accuracy.tuned).toFixed(2)} %, weights ${layers.map((l) => l.nonZeros).join("/")}, runs ${layers.map((l) => l.runs).join("/")}, neurons ${neurons.join("/")}`,
      ),
  );
  const of = (method: string) => results.filter((_, i) => jobs[i].method === method);
  const bitsOf = (r: SmallResult, code: "runs" | "csr") =>
    r.layers.reduce((sum, l) => sum + l.indexBits[code], 0) /
    r.layers.reduce((sum, l) => sum + l.nonZeros, 0);
  const figures = rows.map(({ method, ...settings }) => {
    const runs = of(method);
    const perLayer = (pick: (l: SmallResult["layers"][0]) => number) => runs.map((r) => r.layers.map(pick));
    return {
      method,
      settings,
      accuracy: summarize(runs.map((r) => r.accuracy.tuned)),
      pruned: runs.map((r) => r.accuracy.pruned),
      nonZeros: perLayer((l) => l.nonZeros),
      runs: perLayer((l) => l.runs),
      runsDown: perLayer((l) => l.runsDown),
      neurons: runs.map((r) => r.neurons),
      indexBitsPerWeight: {
        runs: runs.map((r) => bitsOf(r, "runs")),
        csr: runs.map((r) => bitsOf(r, "csr")),
      },
    };
  });
  const find = (method: string) => figures.find((f) => f.method === method)!;
  const every = (a: string, b: string, holds: (a: SmallResult, b: SmallResult) => boolean) =>
    of(a).every((r, i) => holds(r, of(b)[i]));
  const firstRuns = (r: SmallResult) => r.layers[0].runs;
  const [turbo, plain] = [find("chain"), find("iid")];
  const total = (neurons: number[]) => neurons.reduce((a, b) => a + b, 0);
  console.log();
  reportMarks([
    {
      claim: "the chain has at most .55 times the runs of independent bits in layer 1, on every seed",
      passed: every("chain", "iid", (a, b) => firstRuns(a) <= 0.55 * firstRuns(b)),
    },
    {
      claim: "its accuracy is at most .015 lower, and .05 above a random mask's",
      passed:
        turbo.accuracy.mean >= plain.accuracy.mean - 0.015 &&
        turbo.accuracy.mean >= find("random").accuracy.mean + 0.05,
    },
    {
      claim: "control: without coupling the chain gives independent bits, weight by weight",
      passed: every("chain without coupling", "iid", (a, b) =>
        a.posteriors.every((p, i) => p.logOdds.every((o, n) => o === b.posteriors[i].logOdds[n])),
      ),
    },
    {
      claim: "control: with permuted pixels there are at least 1.2 times as many runs",
      passed: every("chain, pixels permuted", "chain", (a, b) => firstRuns(a) >= 1.2 * firstRuns(b)),
    },
    {
      claim: "at equal density the run code needs fewer bits a weight than for independent bits",
      passed: every("chain", "iid", (a, b) => bitsOf(a, "runs") < bitsOf(b, "runs")),
    },
    {
      claim: "gates leave fewer neurons than the chain alone, at most .01 less accurate",
      passed:
        every("gate 1e-6, own mask", "chain, own mask", (a, b) => total(a.neurons) < total(b.neurons)) &&
        find("gate 1e-6, own mask").accuracy.mean >= find("chain, own mask").accuracy.mean - 0.01,
    },
    {
      claim: "at its own density the chain needs at most half the index bits a weight (v = .15)",
      passed: every("chain, v = .15", "iid, v = .15", (a, b) => bitsOf(a, "runs") <= 0.5 * bitsOf(b, "runs")),
    },
  ]);
  await drawSupports(
    "turbo-supports",
    ["iid", "chain"].map((method) => {
      const [{ layers, posteriors }] = of(method);
      const [{ nonZeros, runs }] = layers;
      const { mean, logOdds } = posteriors[0];
      const mask = likeliestWeights({ parameter: "fc1", mean, logOdds }, nonZeros);
      const title = `${method === "iid" ? "independent bits" : "Markov chain along each row"}: ${nonZeros} weights, ${runs} runs`;
      return { title, lines: mask.length / 196, columns: 196, mask };
    }),
  );
  await writeResults("turbo-small", `npm run protocol -- turbo-small --seeds ${values.seeds}`, {
    seeds,
    dense: summarize(of("iid").map((r) => r.accuracy.dense)),
    rows: figures,
  });
}
