/**
 * turbovbi.md P4 with convolutions: Caffe's LeNet-5 on MNIST by Turbo-VBI, with chains along kernels and maps and with
 * independent bits; error, weights and bytes on the disk, also after quantised weights have trained on. Training images move by
 * up to two pixels at random: few weights are as many as it takes to know all 60,000 by heart, and what they lack is images. What
 * is known of every network is on record, so that an interrupted protocol goes on, on another machine too. Options: --seeds 0,1,2;
 * --parallel n; --rows "chain|iid" runs these alone, --rows "" only collects what there is. To choose settings, writing nothing:
 * --held-out 0.1 measures on that share of the training images, --lambda 0.1 is the prior share of weights in use and
 * --variances 0.05,0.003,0.003,0.02 are theirs, by layer; --quick trains for an epoch of 3000 images at each stage, to see that
 * it runs.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { importModel } from "../src/engine/onnx/import.ts";
import type { PackOptions } from "../src/sparsity/encoding/packed-model.ts";
import { packModel, unpackModel } from "../src/sparsity/encoding/packed-model.ts";
import { findWeights } from "../src/sparsity/lines.ts";
import type { PriorSpec } from "../src/sparsity/turbo-vbi/priors/kinds.ts";
import { finishJob, inFolder, inLines, keptResult, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, writeResults } from "./support/results.ts";
import type { DenseJob, DenseResult, TurboResult } from "./support/turbo/compress-images.ts";
import { imagesOf, JOBS, trainDense } from "./support/turbo/compress-images.ts";
import type { NarrowingJob } from "./support/turbo/compress-narrowing.ts";
import { compressNarrowing } from "./support/turbo/compress-narrowing.ts";
import { accuracyOf } from "./support/turbo/mnist-small.ts";
import type { QuantizedJob, QuantizedResult } from "./support/turbo/train-quantized.ts";
import { trainQuantizedJob } from "./support/turbo/train-quantized.ts";
import { waysToStore } from "./support/turbo/ways-to-store.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "0,1,2" },
    rows: { type: "string" },
    "held-out": { type: "string" },
    lambda: { type: "string" },
    variances: { type: "string" },
    parallel: { type: "string", default: "2" },
    quick: { type: "boolean", default: false },
    job: { type: "string" },
  },
});

/** Such that at least 100 times fewer weights are left: with 0.13 and 0.08 a chain left 83 and 95 times fewer. */
const LAMBDA = { chain: 0.045, iid: 0.13 };
const iid = (lambda: number): PriorSpec => ({ kind: "iid", lambda });
const chain = (lambda: number): PriorSpec => ({ kind: "chain", lambda, meanRun: 3.5 });
/** Of conv1, conv2, fc1 and fc2. */
const priorsOf = {
  chain: (lambda: number) => [chain(lambda), chain(lambda), chain(lambda), iid(lambda)],
  iid: (lambda: number) => [iid(lambda), iid(lambda), iid(lambda), iid(lambda)],
};
const ROWS = Object.fromEntries(
  (["chain", "iid"] as const).map((name) => [name, priorsOf[name](Number(values.lambda ?? LAMBDA[name]))]),
);
/** Chosen on held-out training images, seed 0: smaller ones leave more weights, larger ones cost accuracy. */
const VARIANCES = [0.3, 0.015, 0.015, 0.2];
const variances = values.variances?.split(",").map(Number) ?? VARIANCES;
const BITS = [6, 5, 4, 3];
/** Of the posterior's deviations: steps of weights that train on. */
const SHARES = [0.35, 0.5, 0.75];

/** Rows depend on nothing but their jobs and these. */
const RECORD = inLines(join(ROOT, "docs/results/runs/turbo-lenet.jsonl"), { bits: BITS });

const { quick } = values;
const heldOut = values["held-out"] ? Number(values["held-out"]) : undefined;
const epochs = (n: number) => (quick ? 1 : n);

const own = ownJob<DenseJob | NarrowingJob | QuantizedJob>();
if (own) finishJob(await carryOut(own));
else await compare();

function carryOut(job: DenseJob | NarrowingJob | QuantizedJob): Promise<unknown> {
  if (job.kind === "dense") return trainDense(job);
  return job.kind === "narrowing" ? compressNarrowing(job) : trainQuantizedJob(job);
}

async function compare(): Promise<void> {
  const parallel = Number(values.parallel);
  const seeds = values.seeds.split(",").map(Number);
  const denseJobs = seeds.map(
    (seed): DenseJob => ({
      kind: "dense",
      network: "lenet",
      batch: 64,
      stage: { epochs: epochs(10), learningRate: 1.5e-3, floor: 0.02 },
      seed,
      heldOut,
      only: quick ? 0.05 : undefined,
      shift: 2,
    }),
  );
  const chosen = values.rows?.split("|");
  const stages = {
    wide: { epochs: epochs(2), learningRate: 2e-3, floor: 0.5, roundEpochs: 1, annealRounds: 3, skip: 1 },
    narrow: { epochs: epochs(12), learningRate: 2e-3, floor: 0.1, roundEpochs: 1, annealRounds: 1 },
    tune: { epochs: epochs(24), learningRate: 1e-3, floor: 0.05 },
  };
  const jobsOf = (methods: readonly string[]) =>
    methods.flatMap((method) =>
      denseJobs.map(
        (dense): NarrowingJob => ({
          kind: "narrowing",
          method,
          dense,
          priors: ROWS[method],
          variances,
          ...stages,
        }),
      ),
    );
  const quantizedJobsOf = (network: NarrowingJob) =>
    SHARES.map(
      (share): QuantizedJob => ({
        kind: "quantized",
        network,
        quantization: { share },
        stage: { epochs: epochs(10), learningRate: 1e-3, floor: 0.02 },
      }),
    );
  const trial = heldOut !== undefined || values.lambda || values.variances || quick;
  const record = trial ? inFolder(join(JOBS, "turbo-lenet")) : RECORD;
  const rowOnRecord = async (job: NarrowingJob): Promise<Row | undefined> => {
    const row = (await record.get(job)) as Omit<Row, "trained"> | undefined;
    const trained = await Promise.all(quantizedJobsOf(job).map((q) => record.get(q)));
    return row && { ...row, trained: trained.filter((t) => t !== undefined) as StoredFile[] };
  };
  const methods = Object.keys(ROWS);
  const jobs = jobsOf(methods.filter((method) => chosen?.includes(method) ?? true));
  const wanted: NarrowingJob[] = [];
  for (const job of jobs) if ((await rowOnRecord(job))?.trained.length !== SHARES.length) wanted.push(job);
  const log = (job: NarrowingJob, what: string) =>
    console.log(`${job.method}, seed ${job.dense.seed}: ${what}`);
  await runJobs<DenseJob, DenseResult>(
    [...new Set(wanted.map((job) => job.dense))],
    parallel,
    JOBS,
    ({ seed }, { accuracy }) => console.log(`dense, seed ${seed}: error ${percentWrong(accuracy)} %`),
  );
  await runJobs<NarrowingJob, TurboResult>(wanted, parallel, JOBS, (job, { processorSeconds }) =>
    log(job, `${processorSeconds.toFixed(0)} s`),
  );
  for (const job of wanted) {
    if (await record.get(job)) continue;
    const row = await rowOf(job);
    await record.put(job, row);
    log(
      job,
      `error ${row.errorBeforeTuning} %, tuned ${row.error} %, ${row.fewerWeights.toFixed(0)} times fewer weights`,
    );
    for (const file of row.stored) log(job, inWords(file));
  }
  await runJobs<QuantizedJob, QuantizedResult>(wanted.flatMap(quantizedJobsOf), parallel, JOBS, () => {});
  for (const job of wanted)
    for (const q of quantizedJobsOf(job)) {
      if (await record.get(q)) continue;
      const file = await fileOf(job, q);
      await record.put(q, file);
      log(job, inWords(file));
    }
  if (trial) return;
  const rows: Row[] = [];
  for (const job of jobsOf(methods)) {
    const row = await rowOnRecord(job);
    if (row) rows.push(row);
  }
  const everySeed = (passes: (row: Row) => boolean) =>
    methods.some((method) => {
      const own = rows.filter((row) => row.method === method);
      return own.length === seeds.length && own.every(passes);
    });
  reportMarks([
    {
      claim: "one of the priors: at most 1.0 % error with at least 100 times fewer weights, in every seed",
      passed: everySeed((r) => r.error <= 1 && r.fewerWeights >= 100),
    },
    {
      claim:
        "one of the priors: at most 1.0 % error with at least 300 times fewer bits in the file, in every seed",
      passed: everySeed((r) => [...r.stored, ...r.trained].some((s) => s.error <= 1 && s.fewerBits >= 300)),
    },
  ]);
  await writeResults("turbo-lenet", `npm run protocol -- turbo-lenet --seeds ${values.seeds}`, {
    seeds,
    settings: { dense: denseJobs[0].stage, priors: ROWS, variances, ...stages },
    missing: methods.length * seeds.length - rows.length,
    rows,
  });
}

type Row = Awaited<ReturnType<typeof rowOf>> & { trained: StoredFile[] };

interface StoredFile {
  storage: string;
  bytes: number;
  /** Test error, %. */
  error: number;
  /** Bytes of all weights of the dense network over these. */
  fewerBits: number;
}

function inWords({ storage, bytes, fewerBits, error }: StoredFile): string {
  return `${storage}: ${bytes} bytes, 1/${fewerBits.toFixed(0)} of the dense weights, error ${error} %`;
}

/** One network: what is left of it, and what that takes on the disk in several ways. */
async function rowOf(job: NarrowingJob) {
  const { model, sigmas, accuracy, processorSeconds } = (await keptResult<TurboResult>(job, JOBS))!;
  const dense = await denseOf(job);
  const left = layerSizes(model);
  const stored: StoredFile[] = [];
  for (const [storage, options] of waysToStore(BITS, sigmas))
    stored.push(await storedFile(dense, storage, model, options));
  return {
    method: job.method,
    seed: job.dense.seed,
    denseError: percentWrong(accuracy.dense),
    error: percentWrong(accuracy.tuned),
    errorBeforeTuning: percentWrong(accuracy.pruned),
    fewerWeights: dense.weights / total(left, (l) => l.used),
    layers: left,
    stored,
    processorSeconds,
  };
}

/** The file of a network whose quantised weights have trained on. */
async function fileOf(job: NarrowingJob, quantized: QuantizedJob): Promise<StoredFile> {
  const { onnx, steps } = (await keptResult<QuantizedResult>(quantized, JOBS))!;
  return await storedFile(
    await denseOf(job),
    `${(quantized.quantization as { share: number }).share} σ, trained`,
    onnx,
    {
      steps,
    },
  );
}

async function storedFile(
  { data, weights }: Awaited<ReturnType<typeof denseOf>>,
  storage: string,
  onnx: Uint8Array,
  options: PackOptions,
): Promise<StoredFile> {
  const { bytes } = packModel(onnx, options);
  const packed = importModel(unpackModel(bytes), { batch: 100 });
  const error = percentWrong(await accuracyOf(packed, data));
  return { storage, bytes: bytes.length, error, fewerBits: (4 * weights) / bytes.length };
}

/** The images of a network, and the weights that it had. */
async function denseOf({ dense }: NarrowingJob) {
  const { model } = (await keptResult<DenseResult>(dense, JOBS))!;
  return { data: await imagesOf(dense), weights: total(layerSizes(model), (l) => l.weights) };
}

interface LayerSize {
  name: string;
  /** Neurons or filters. */
  rows: number;
  weights: number;
  used: number;
}

function layerSizes(onnx: Uint8Array): LayerSize[] {
  const model = importModel(onnx);
  return findWeights(model).map(({ name, parameter, shape }) => {
    const { data } = model.parameters.get(parameter)!;
    const used = data.reduce<number>((count, w) => count + Number(w !== 0), 0);
    return { name, rows: shape.rows, weights: data.length, used };
  });
}

function total(layers: readonly LayerSize[], pick: (layer: LayerSize) => number): number {
  return layers.reduce((sum, layer) => sum + pick(layer), 0);
}

function percentWrong(accuracy: number): number {
  return Math.round(1e4 * (1 - accuracy)) / 100;
}
