/**
 * A small network in the manner of VGG on part of CIFAR-10: Turbo-VBI with chains along kernels and with independent bits, and
 * magnitude pruning at several densities; what they take on the disk in every way to store them, and how often they are wrong.
 * Draws docs/figures/turbo-vgg.svg. Options: --seeds 0,1,2; --parallel n. To choose settings, writing nothing:
 * --rows "chain, slab 10|iid, slab 10" runs these alone, --held-out 0.1 measures on that share of the training images; --quick
 * trains for an epoch of 400 images at each stage, to see that it runs.
 */
import { parseArgs } from "node:util";
import { exportModel } from "../src/engine/onnx/export.ts";
import { importModel } from "../src/engine/onnx/import.ts";
import { packModel, unpackModel } from "../src/sparsity/encoding/packed-model.ts";
import { foldConstants } from "../src/sparsity/fold-constants.ts";
import { patternReport } from "../src/sparsity/pattern-report.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
import type { PriorSpec } from "../src/sparsity/turbo-vbi/priors/kinds.ts";
import { writeFigure } from "./support/figures.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { summarize, writeResults } from "./support/results.ts";
import type {
  CompressedResult,
  DenseJob,
  DenseResult,
  MagnitudeJob,
  TurboJob,
  TurboResult,
} from "./support/turbo/compress-images.ts";
import { carryOut, imagesOf, JOBS } from "./support/turbo/compress-images.ts";
import { frontierFigure } from "./support/turbo/frontier.ts";
import { accuracyOf } from "./support/turbo/mnist-small.ts";
import { waysToStore } from "./support/turbo/ways-to-store.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "0,1,2" },
    rows: { type: "string" },
    "held-out": { type: "string" },
    parallel: { type: "string", default: "2" },
    quick: { type: "boolean", default: false },
    job: { type: "string" },
  },
});

const { quick } = values;
const epochs = (n: number) => (quick ? 1 : n);
const heldOut = values["held-out"] ? Number(values["held-out"]) : undefined;
const iid: PriorSpec = { kind: "iid", lambda: 0.05 };
const chain: PriorSpec = { kind: "chain", lambda: 0.05, meanRun: 3.5 };
/** Of the six convolutions and of the linear layer. */
const PRIORS = { chain: [...Array<PriorSpec>(6).fill(chain), iid], iid: Array<PriorSpec>(7).fill(iid) };
const SLABS = [3, 10];
const DENSITIES = [5, 10, 20];
const BITS = [8, 6, 5, 4, 3];
/** Errors above this are left out of the figure. */
const WORST = 60;

/** The likelihood counts for as many images as CIFAR-10 has. */
const SAMPLES = 50_000;
const POSTERIORS = {
  epochs: epochs(16),
  learningRate: 2e-3,
  floor: 0.25,
  samples: SAMPLES,
  roundEpochs: 2,
  annealRounds: 3,
};
const TUNE = { epochs: epochs(8), learningRate: 5e-4, floor: 0.05 };
const ROWS = [
  ...(["chain", "iid"] as const).flatMap((prior) =>
    SLABS.map((slab) => ({
      kind: "turbo" as const,
      method: `${prior}, slab ${slab}`,
      priors: PRIORS[prior],
      posteriors: { ...POSTERIORS, slab },
      tune: TUNE,
    })),
  ),
  // As many epochs behind the cut as the others have behind the dense network.
  ...DENSITIES.map((fewer) => ({
    kind: "magnitude" as const,
    method: `magnitude, 1/${fewer}`,
    keep: 1 / fewer,
    tune: { epochs: epochs(24), learningRate: 1e-3, floor: 0.05 },
  })),
];

const own = ownJob<DenseJob | TurboJob | MagnitudeJob>();
if (own) finishJob(await carryOut(own));
else await compare();

interface Stored {
  seed: number;
  method: string;
  storage: string;
  bytes: number;
  /** Test error, %. */
  error: number;
  /** Weights that are not zero. */
  used: number;
}

async function compare(): Promise<void> {
  const parallel = Number(values.parallel);
  const seeds = values.seeds.split(",").map(Number);
  const denseJobs = seeds.map(
    (seed): DenseJob => ({
      kind: "dense",
      network: "small-vgg",
      batch: 32,
      stage: { epochs: epochs(25), learningRate: 3e-3, floor: 0.02 },
      seed,
      heldOut,
      only: quick ? 0.1 : undefined,
    }),
  );
  const dense = await runJobs<DenseJob, DenseResult>(denseJobs, parallel, JOBS, ({ seed }, { accuracy }) =>
    console.log(`dense, seed ${seed}: error ${percentWrong(accuracy).toFixed(1)} %`),
  );
  const chosen = values.rows?.split("|");
  const jobs = ROWS.filter(({ method }) => chosen?.includes(method) ?? true).flatMap((row) =>
    denseJobs.map((job): TurboJob | MagnitudeJob => ({ ...row, dense: job })),
  );
  const results = await runJobs<TurboJob | MagnitudeJob, CompressedResult & Partial<TurboResult>>(
    jobs,
    parallel,
    JOBS,
    ({ method, dense: { seed } }, { accuracy, processorSeconds }) =>
      console.log(
        `${method}, seed ${seed}: error ${percentWrong(accuracy.pruned).toFixed(1)} %, tuned ${percentWrong(accuracy.tuned).toFixed(1)} %, ${processorSeconds.toFixed(0)} s`,
      ),
  );
  const rows: Stored[] = [];
  for (const [i, job] of denseJobs.entries()) rows.push(...(await storedWays("dense", job, dense[i])));
  for (const [i, job] of jobs.entries()) rows.push(...(await storedWays(job.method, job.dense, results[i])));
  if (chosen || heldOut !== undefined || quick) return;

  const equalBits = SLABS.map((slab) => atEqualBits(rows, `chain, slab ${slab}`, seeds));
  reportMarks([
    {
      claim:
        "at the bits of the chain's file, in every way of storing theirs, magnitude pruning errs more, on average",
      passed: equalBits.every((e) => e.magnitude.mean > e.chain.mean),
    },
    {
      claim:
        "at the bits of the chain's file, in every way of storing theirs, independent bits err more, on average",
      passed: equalBits.every((e) => e.iid.mean > e.chain.mean),
    },
  ]);
  await writeResults("turbo-vgg", `npm run protocol -- turbo-vgg --seeds ${values.seeds}`, {
    seeds,
    dense: { settings: denseJobs[0].stage, error: summarize(dense.map((d) => percentWrong(d.accuracy))) },
    settings: ROWS,
    processorSeconds: ROWS.map(({ method }) => ({
      method,
      ...summarize(results.filter((_, i) => jobs[i].method === method).map((r) => r.processorSeconds)),
    })),
    equalBits,
    rows,
  });
  await writeFigure("turbo-vgg", frontierFigure(rows, WORST));
}

/** The chain's files with steps of .35 deviations, and the least error of the others in files that are no larger. */
function atEqualBits(rows: readonly Stored[], method: string, seeds: readonly number[]) {
  const files = seeds.map(
    (seed) => rows.find((r) => r.method === method && r.seed === seed && r.storage === "0.35 σ")!,
  );
  const best = (family: string) =>
    summarize(
      files.map(({ seed, bytes }) => {
        const own = rows.filter((r) => r.method.startsWith(family) && r.seed === seed && r.bytes <= bytes);
        // Nothing so small: as good as chance.
        return Math.min(90, ...own.map((r) => r.error));
      }),
    );
  return {
    method,
    bytes: summarize(files.map((f) => f.bytes)),
    used: summarize(files.map((f) => f.used)),
    chain: summarize(files.map((f) => f.error)),
    iid: best("iid"),
    magnitude: best("magnitude"),
    dense: best("dense"),
  };
}

/** One network in every way to store it. */
async function storedWays(
  method: string,
  job: DenseJob,
  { model, sigmas }: { model: Uint8Array; sigmas?: TurboResult["sigmas"] },
): Promise<Stored[]> {
  const data = await imagesOf(job);
  const onnx = exportModel(shrinkZeros(foldConstants(importModel(model)).graph).graph);
  const stored: Stored[] = [];
  for (const [storage, options] of waysToStore(BITS, sigmas)) {
    const { bytes } = packModel(onnx, options);
    const back = importModel(unpackModel(bytes), { batch: 100 });
    const error = percentWrong(await accuracyOf(back, data));
    const used = patternReport(back).reduce((sum, { nonZeros }) => sum + nonZeros, 0);
    stored.push({ seed: job.seed, method, storage, bytes: bytes.length, error, used });
    console.log(
      `${method}, seed ${job.seed}, ${storage}: ${bytes.length} bytes, ${used} weights, error ${error.toFixed(1)} %`,
    );
  }
  return stored;
}

function percentWrong(accuracy: number): number {
  return 100 - 100 * accuracy;
}
