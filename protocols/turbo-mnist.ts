/**
 * turbovbi.md P4: LeNet-300-100 or LeNet-5 on MNIST, by Turbo-VBI with chains and with independent bits. Options:
 * --network lenet-300-100|lenet; --seeds 0,1,2; --rows a,b runs these alone; --parallel n.
 */
import { parseArgs } from "node:util";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import type { DenseJob, DenseResult, TurboJob, TurboResult } from "./support/turbo/compress-mnist.ts";
import { compressWithPosteriors, JOBS, trainDense } from "./support/turbo/compress-mnist.ts";
import { NETWORKS } from "./support/turbo/mnist-settings.ts";

const { values } = parseArgs({
  options: {
    network: { type: "string", default: "lenet-300-100" },
    seeds: { type: "string", default: "0,1,2" },
    rows: { type: "string" },
    parallel: { type: "string", default: "2" },
    job: { type: "string" },
  },
});

const own = ownJob<DenseJob | TurboJob>();
if (own) finishJob(own.kind === "dense" ? await trainDense(own) : await compressWithPosteriors(own));
else {
  const { dense, rows } = NETWORKS[values.network as keyof typeof NETWORKS];
  const parallel = Number(values.parallel);
  const seeds = values.seeds.split(",").map(Number);
  const denseJobs = seeds.map((seed): DenseJob => ({ kind: "dense", ...dense, seed }));
  await runJobs<DenseJob, DenseResult>(denseJobs, parallel, JOBS, ({ seed }, { accuracy }) =>
    console.log(`dense, seed ${seed}: error ${(100 - 100 * accuracy).toFixed(2)} %`),
  );
  const jobs = denseJobs.flatMap((job) =>
    rows
      .filter((row) => !values.rows || values.rows.split(",").includes(row.method))
      .map((row): TurboJob => ({ kind: "turbo", dense: job, ...row })),
  );
  await runJobs<TurboJob, TurboResult>(
    jobs,
    parallel,
    JOBS,
    ({ method, dense: { seed } }, { accuracy, processorSeconds }) =>
      console.log(
        `${method}, seed ${seed}: error ${(100 - 100 * accuracy.pruned).toFixed(2)} %, tuned ${(100 - 100 * accuracy.tuned).toFixed(2)} %, ${processorSeconds.toFixed(0)} s`,
      ),
  );
}
