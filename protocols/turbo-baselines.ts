/**
 * LeNet-300-100 on MNIST by Sparse VD, BC-GNJ and VIBNet, each at several strengths, from the dense networks of turbo-mnist.
 * All strengths are reported; none is chosen. Options: --seeds 0,1,2; --rows "bc-gnj, strength 1|vibnet, strength 30" runs
 * these alone and writes nothing; --held-out 0.1 measures on that share of the training images and writes nothing; --parallel n.
 */
import { parseArgs } from "node:util";
import { importModel } from "../src/engine/onnx/import.ts";
import { patternReport } from "../src/sparsity/pattern-report.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { summarize, writeResults } from "./support/results.ts";
import type { NoiseJob } from "./support/turbo/compress-by-noise.ts";
import { compressByNoise } from "./support/turbo/compress-by-noise.ts";
import type { DenseJob, DenseResult, TurboResult } from "./support/turbo/compress-images.ts";
import { JOBS, trainDense } from "./support/turbo/compress-images.ts";
import { denseJob, jobsOf } from "./support/turbo/kept-networks.ts";
import { NOISE } from "./support/turbo/mnist-settings.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "0,1,2" },
    rows: { type: "string" },
    "held-out": { type: "string" },
    parallel: { type: "string", default: "2" },
    job: { type: "string" },
  },
});

const own = ownJob<DenseJob | NoiseJob>();
if (own) finishJob(own.kind === "dense" ? await trainDense(own) : await compressByNoise(own));
else await compare();

async function compare(): Promise<void> {
  const parallel = Number(values.parallel);
  const seeds = values.seeds.split(",").map(Number);
  const chosen = values.rows?.split("|");
  const heldOut = values["held-out"] ? Number(values["held-out"]) : undefined;
  const dense = (seed: number): DenseJob => ({ ...denseJob(seed), heldOut });
  await runJobs<DenseJob, DenseResult>(seeds.map(dense), parallel, JOBS, () => {});
  const jobs = seeds
    .flatMap((seed) => jobsOf(seed).noise.map((job): NoiseJob => ({ ...job, dense: dense(seed) })))
    .filter(({ method }) => chosen?.includes(method) ?? true);
  const results = await runJobs<NoiseJob, TurboResult>(jobs, parallel, JOBS, ({ method, dense: d }, r) =>
    console.log(
      `${method}, seed ${d.seed}: ${fewerTimes(r).toFixed(1)} times fewer weights, error ${errorOf(r.accuracy.pruned).toFixed(2)} %, tuned ${errorOf(r.accuracy.tuned).toFixed(2)} %, ${r.processorSeconds.toFixed(0)} s`,
    ),
  );
  if (chosen || heldOut !== undefined) return;
  await writeResults("turbo-baselines", `npm run protocol -- turbo-baselines --seeds ${values.seeds}`, {
    seeds,
    rows: NOISE.map(({ method, ...settings }) => {
      const runs = results.filter((_, i) => jobs[i].method === method);
      return {
        method,
        settings,
        error: summarize(runs.map((r) => errorOf(r.accuracy.tuned))),
        errorBeforeTuning: runs.map((r) => errorOf(r.accuracy.pruned)),
        fewerWeights: runs.map(fewerTimes),
        processorSeconds: runs.map((r) => r.processorSeconds),
      };
    }),
  });
}

function errorOf(accuracy: number): number {
  return 100 - 100 * accuracy;
}

/** All weights over those in use; infinite where none is. */
function fewerTimes({ model }: TurboResult): number {
  const layers = patternReport(importModel(model));
  const total = (pick: (layer: (typeof layers)[number]) => number) => layers.reduce((s, l) => s + pick(l), 0);
  return total((l) => l.weights) / total((l) => l.nonZeros);
}
