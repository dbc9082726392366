/**
 * Networks that others trained, compressed to half their MACs: mnist_8/model.onnx of the ONNX model zoo, and the network
 * of mnist_cnn.safetensors. Options: --models <folder that holds onnx/ and safetensors/>, --seeds 0,1,2,
 * --only mnist_8, which writes no results.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exportModel } from "../src/engine/onnx/export.ts";
import { importModel } from "../src/engine/onnx/import.ts";
import type { CompressResult } from "../src/runs/compress.node.ts";
import { compress } from "../src/runs/compress.node.ts";
import type { GroupRequest } from "../src/runs/compress-request.ts";
import { measureLatency } from "../src/runs/latency.ts";
import { loadModel } from "../src/runs/load-model.node.ts";
import { ALIGNMENT, alignChannels } from "../src/sparsity/align.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { mnistCnn } from "./support/mnist-cnn.ts";
import { DATA_DIR, ROOT, summarize, writeResults } from "./support/results.ts";

const { values } = parseArgs({
  options: {
    models: { type: "string" },
    seeds: { type: "string", default: "0,1,2" },
    only: { type: "string" },
    job: { type: "string" },
  },
});
if (!values.models) {
  console.error(
    "give --models, the folder that holds onnx/mnist_8/model.onnx and safetensors/mnist_cnn.safetensors",
  );
  process.exit(2);
}

type Network = "mnist_8" | "mnist_cnn";
/** Half the operations: by a budget over all layers, or by the same share of each layer's filters. */
const CASES: readonly { network: Network; budget: GroupRequest["budget"] }[] = [
  { network: "mnist_8", budget: { within: "macs=0.5" } },
  { network: "mnist_8", budget: { keep: 0.67 } },
  { network: "mnist_cnn", budget: { within: "macs=0.5" } },
];
const EPOCHS = 6;

interface Job {
  network: Network;
  seed: number;
  budget: GroupRequest["budget"];
  epochs: number;
}

interface JobResult {
  result: CompressResult;
  model: Uint8Array;
}

const work = join(ROOT, "runs", "imported");
await mkdir(work, { recursive: true });
const paths: Record<Network, string> = {
  mnist_8: join(values.models, "onnx/mnist_8/model.onnx"),
  mnist_cnn: join(work, "mnist_cnn.onnx"),
};

async function compressOnce({ network, seed, budget, epochs }: Job): Promise<JobResult> {
  const done = await compress(
    {
      model: paths[network],
      data: "mnist",
      inputScale: "bytes",
      method: "wgsef",
      budget,
      epochs,
      seed,
      batch: 128,
      threads: 1,
      optimizer: "adam",
      learningRate: 1e-3,
      directory: join(work, `${network}-${seed}-${Date.now()}`),
    },
    { dataDir: DATA_DIR, output: "" },
  );
  return { result: done!.result, model: exportModel(done!.model) };
}

/** Medians in milliseconds on one thread, original and compressed interleaved; widths filled up on loading where that is faster. */
async function latencies(network: Network, compressed: Uint8Array): Promise<Record<string, object>> {
  const original = (await loadModel(paths[network])).graph;
  const shrunk = importModel(compressed);
  const rows: Record<string, object> = {};
  for (const batch of [1, 64]) {
    const [before, after, aligned] = await measureLatency(
      [original, shrunk, alignChannels(shrunk, ALIGNMENT)],
      {
        batch,
        threads: 1,
        runs: 400,
      },
    );
    rows[`batch ${batch}`] = { before, after, aligned };
  }
  return rows;
}

const own = ownJob<Job>();
if (own) finishJob(await compressOnce(own));
else {
  await writeFile(
    paths.mnist_cnn,
    exportModel(await mnistCnn(join(values.models, "safetensors/mnist_cnn.safetensors"))),
  );
  const cases = CASES.filter((c) => !values.only || values.only === c.network);
  const seeds = values.seeds.split(",").map(Number);
  const jobs = cases.flatMap(({ network, budget }) =>
    seeds.map((seed): Job => ({ network, seed, budget, epochs: EPOCHS })),
  );
  const results = await runJobs<Job, JobResult>(
    jobs,
    2,
    join(ROOT, "runs", "protocols"),
    ({ network, seed }, { result }) =>
      console.log(network, "seed", seed, JSON.stringify(result.accuracy), JSON.stringify(result.kept)),
  );
  const rows: object[] = [];
  for (const { network, budget } of cases) {
    const mine = results.filter((_, i) => jobs[i].network === network && jobs[i].budget === budget);
    const [first] = mine.map((m) => m.result);
    const latencyMs: object[] = [];
    for (const { model } of mine) latencyMs.push(await latencies(network, model));
    rows.push({
      network,
      budget: "within" in budget ? `--budget ${budget.within}` : `--keep ${budget.keep}`,
      original: first.accuracy.before,
      compressed: summarize(mine.map((m) => m.result.accuracy.after)),
      macs: first.macs,
      parameters: first.parameters,
      bytes: first.bytes,
      kept: mine.map((m) => m.result.kept),
      natural: mine.map((m) => m.result.natural),
      outputError: Math.max(...mine.map((m) => m.result.outputError)),
      latencyMs,
    });
  }
  console.log(JSON.stringify(rows, undefined, 1));
  if (values.only) process.exit();
  await writeResults("imported", "npm run protocol -- imported --models <folder>", {
    settings: {
      epochs: EPOCHS,
      seeds,
      batch: 128,
      optimizer: "adam",
      learningRate: 1e-3,
    },
    rows,
  });
}
