/**
 * turbovbi.md P4: LeNet-300-100 on MNIST by Turbo-VBI, with a chain along the pixels and with independent bits, beside
 * magnitude pruning. What docs/results/turbo-mnist.json has with the same settings is not run again. Options: --seeds 0,1,2;
 * --parallel n. To choose settings, or to have networks for turbo-packed, writing nothing: --rows "iid|chain" runs these alone,
 * --held-out 0.1 measures on that share of the training images, --stretch 2 makes compressing so many times as long.
 */
import { parseArgs } from "node:util";
import { importModel } from "../src/engine/onnx/import.ts";
import { foldConstants } from "../src/sparsity/fold-constants.ts";
import { findWeights } from "../src/sparsity/lines.ts";
import type { LayerPattern } from "../src/sparsity/pattern-report.ts";
import { patternReport } from "../src/sparsity/pattern-report.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import type { Summary } from "./support/results.ts";
import { alike, earlierResults, summarize, writeResults } from "./support/results.ts";
import type {
  CompressedResult,
  DenseJob,
  DenseResult,
  MagnitudeJob,
  TurboJob,
} from "./support/turbo/compress-images.ts";
import { carryOut, JOBS } from "./support/turbo/compress-images.ts";
import { denseJob } from "./support/turbo/kept-networks.ts";
import { DENSE, MAGNITUDE, POSTERIORS } from "./support/turbo/mnist-settings.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "0,1,2" },
    rows: { type: "string" },
    "held-out": { type: "string" },
    stretch: { type: "string", default: "1" },
    parallel: { type: "string", default: "2" },
    job: { type: "string" },
  },
});

interface Row {
  method: string;
  settings: object;
  error: Summary;
  errorBeforeTuning: number[];
  fewerWeights: number[];
  firstMeanRun: number[];
  indexBitsPerWeight: { runs: number[]; csr: number[] };
  neurons: number[][];
  processorSeconds: number[];
  layers: LayerPattern[][];
}

interface Results {
  seeds: number[];
  dense: { settings: object };
  rows: Row[];
}

const own = ownJob<DenseJob | TurboJob | MagnitudeJob>();
if (own) finishJob(await carryOut(own));
else await compare();

async function compare(): Promise<void> {
  const parallel = Number(values.parallel);
  const seeds = values.seeds.split(",").map(Number);
  const heldOut = values["held-out"] ? Number(values["held-out"]) : undefined;
  const stretch = Number(values.stretch);
  const stretched = <T extends { epochs: number }>(stage: T): T => ({
    ...stage,
    epochs: stretch * stage.epochs,
  });
  const denseJobs = seeds.map((seed): DenseJob => ({ ...denseJob(seed), heldOut }));
  const dense = await runJobs<DenseJob, DenseResult>(denseJobs, parallel, JOBS, ({ seed }, { accuracy }) =>
    console.log(`dense, seed ${seed}: error ${errorOf(accuracy).toFixed(2)} %`),
  );
  const chosen = values.rows?.split("|");
  const trial = chosen || heldOut !== undefined || stretch !== 1;
  const earlier = trial ? undefined : await earlierResults<Results>("turbo-mnist");
  const fits = earlier && alike([earlier.seeds, earlier.dense.settings], [seeds, DENSE]);
  const onRecord = ({ method, ...settings }: { method: string }) =>
    fits ? earlier.rows.find((row) => row.method === method && alike(row.settings, settings)) : undefined;
  const rows = [
    ...POSTERIORS.map((row) => ({ kind: "turbo", ...row, posteriors: stretched(row.posteriors) }) as const),
    ...MAGNITUDE.map((row) => ({ kind: "magnitude", ...row }) as const),
  ].filter(({ method }) => chosen?.includes(method) ?? true);
  const jobs = denseJobs.flatMap((job) =>
    // The order of keys is part of what results are kept under.
    rows
      .filter((row) => !onRecord(row))
      .map(
        ({ kind, ...row }) =>
          ({ kind, dense: job, ...row, tune: stretched(row.tune) }) as TurboJob | MagnitudeJob,
      ),
  );
  const results = await runJobs<TurboJob | MagnitudeJob, CompressedResult>(
    jobs,
    parallel,
    JOBS,
    ({ method, dense: { seed } }, r) => {
      const layers = patternReport(importModel(r.model));
      console.log(
        `${method}, seed ${seed}: ${fewerTimes(layers).toFixed(1)} times fewer weights, error ${errorOf(r.accuracy.pruned).toFixed(2)} %, tuned ${errorOf(r.accuracy.tuned).toFixed(2)} %, ${r.processorSeconds.toFixed(0)} s`,
      );
    },
  );
  if (trial) return;
  const figures = rows.map((row): Row => {
    const { method, ...settings } = row;
    const old = onRecord(row);
    if (old) return old;
    const runs = results.filter((_, i) => jobs[i].method === method);
    const layers = runs.map((r) => patternReport(importModel(r.model)));
    return {
      method,
      settings,
      error: summarize(runs.map((r) => errorOf(r.accuracy.tuned))),
      errorBeforeTuning: runs.map((r) => errorOf(r.accuracy.pruned)),
      fewerWeights: layers.map(fewerTimes),
      firstMeanRun: layers.map(([first]) => first.meanRun),
      indexBitsPerWeight: {
        runs: layers.map((l) => total(l, (p) => p.indexBits.runs) / total(l, (p) => p.nonZeros)),
        csr: layers.map((l) => total(l, (p) => p.indexBits.csr) / total(l, (p) => p.nonZeros)),
      },
      neurons: runs.map((r) => liveNeurons(r.model)),
      processorSeconds: runs.map((r) => r.processorSeconds),
      layers,
    };
  });
  const find = (method: string) => figures.find((f) => f.method === method)!;
  const [large, small, iid] = ["chain", "chain, λ = 0.4", "iid"].map(find);
  const least = (values: readonly number[]) => Math.min(...values);
  reportMarks([
    {
      claim: "chain, λ = 0.4: error at most 1.8 % on average with at least 20 times fewer weights",
      passed: small.error.mean <= 1.8 && least(small.fewerWeights) >= 20,
    },
    {
      claim: "chain: error at most 2.0 % on average with at least 40 times fewer weights",
      passed: large.error.mean <= 2 && least(large.fewerWeights) >= 40,
    },
    ...[large, small].map(({ method, firstMeanRun }) => ({
      claim: `${method}: runs of layer 1 are at least 2.5 times as long as with independent bits`,
      passed: firstMeanRun.every((run, i) => run >= 2.5 * iid.firstMeanRun[i]),
    })),
    {
      claim: "under 15 minutes of processor time, the dense network apart",
      passed: figures.every((f) => Math.max(...f.processorSeconds) < 900),
    },
  ]);
  await writeResults("turbo-mnist", `npm run protocol -- turbo-mnist --seeds ${values.seeds}`, {
    seeds,
    dense: { settings: DENSE, error: summarize(dense.map((d) => errorOf(d.accuracy))) },
    rows: figures,
  });
}

function errorOf(accuracy: number): number {
  return 100 - 100 * accuracy;
}

function total(layers: readonly LayerPattern[], pick: (layer: LayerPattern) => number): number {
  return layers.reduce((sum, layer) => sum + pick(layer), 0);
}

/** All weights over those in use; biases do not count. */
function fewerTimes(layers: readonly LayerPattern[]): number {
  return total(layers, (l) => l.weights) / total(layers, (l) => l.nonZeros);
}

/** Neurons of the hidden layers that some output depends on. */
function liveNeurons(model: Uint8Array): number[] {
  const { graph } = shrinkZeros(foldConstants(importModel(model)).graph);
  return findWeights(graph)
    .slice(0, -1)
    .map(({ shape }) => shape.rows);
}
