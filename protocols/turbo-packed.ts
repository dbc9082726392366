/**
 * What the networks of turbo-mnist and turbo-baselines take on the disk, against how often they are wrong: packed without
 * loss, with so many bits a weight, and with steps by the posterior's deviations; at once, and after quantised weights have
 * trained on. Beside them, the dense network with few bits a weight. Takes what `npm run protocol -- turbo-mnist` and
 * `-- turbo-baselines` have kept in runs/protocols; of networks that are not there, what docs/results/turbo-packed.json has by
 * the same codes.
 * Draws docs/figures/turbo-frontier.svg. Options: --seeds 0,1,2; --parallel n; --draw draws earlier results alone.
 */
import { parseArgs } from "node:util";
import { gzipSync } from "fflate";
import type { Dataset } from "../src/data/dataset.ts";
import { loadDataset } from "../src/data/load.node.ts";
import { exportModel } from "../src/engine/onnx/export.ts";
import { importModel } from "../src/engine/onnx/import.ts";
import type { PackOptions } from "../src/sparsity/encoding/packed-model.ts";
import { packModel, unpackModel } from "../src/sparsity/encoding/packed-model.ts";
import { foldConstants } from "../src/sparsity/fold-constants.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
import { writeFigure } from "./support/figures.ts";
import { finishJob, keptResult, ownJob, runJobs } from "./support/jobs.ts";
import { DATA_DIR, earlierResults, writeResults } from "./support/results.ts";
import { JOBS } from "./support/turbo/compress-images.ts";
import type { StoredRow } from "./support/turbo/frontier.ts";
import { frontierFigure } from "./support/turbo/frontier.ts";
import type { KeptNetwork } from "./support/turbo/kept-networks.ts";
import { keptNetworks, methodsOf } from "./support/turbo/kept-networks.ts";
import { accuracyOf } from "./support/turbo/mnist-small.ts";
import type { Quantization, QuantizedJob, QuantizedResult } from "./support/turbo/train-quantized.ts";
import { trainQuantizedJob } from "./support/turbo/train-quantized.ts";
import { knows, waysToStore } from "./support/turbo/ways-to-store.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "0,1,2" },
    parallel: { type: "string", default: "2" },
    draw: { type: "boolean", default: false },
    job: { type: "string" },
  },
});

const BITS = [8, 6, 5, 4, 3, 2];
/** Of what `packModel` writes. Rows of another are not put beside new ones. */
const CODES = "adaptive or prefix codes; biases in quarters of a step";
/** Of quantised weights that train on. */
const STAGE = { epochs: 5, learningRate: 1e-3, floor: 0.02 };
/** Errors above this, in %, are left out of the figure: no one would ship these networks. */
const WORST = 2.6;

type PackedRow = { seed: number; method: string; onnxBytes: number } & Awaited<ReturnType<typeof packed>>;

const own = ownJob<QuantizedJob>();
if (own) finishJob(await trainQuantizedJob(own));
else {
  if (!values.draw) await measure();
  const results = await earlierResults<{ rows: StoredRow[] }>("turbo-packed");
  if (results) await writeFigure("turbo-frontier", frontierFigure(results.rows, WORST));
}

/** One network packed in one way. */
async function packed(onnx: Uint8Array, storage: string, options: PackOptions, data: Dataset) {
  const { bytes, tensors, restBytes } = packModel(onnx, options);
  const back = unpackModel(bytes);
  const sum = (pick: (t: (typeof tensors)[number]) => number) => tensors.reduce((s, t) => s + pick(t), 0);
  const model = importModel(back, { batch: 100 });
  return {
    storage,
    error: 100 - 100 * (await accuracyOf(model, data)),
    bytes: bytes.length,
    gzipBytes: gzipSync(back, { level: 9 }).length,
    restBytes,
    nonZeros: sum((t) => t.nonZeros),
    indexBits: {
      file: sum((t) => t.indexBits),
      runs: sum((t) => t.indexBitsBy.runs),
      csr: sum((t) => t.indexBitsBy.csr),
      bitmap: sum((t) => t.indexBitsBy.bitmap),
    },
    valueBits: sum((t) => t.valueBits),
  };
}

async function measure(): Promise<void> {
  const data: Dataset = {
    ...(await loadDataset("mnist", { dataDir: DATA_DIR })),
    scale: { mean: [0], std: [1] },
  };
  const before = await earlierResults<{ codes?: string; rows: PackedRow[] }>("turbo-packed");
  const earlier = before?.codes === CODES ? before.rows : [];
  const rows: PackedRow[] = [];
  for (const seed of values.seeds.split(",").map(Number)) {
    const networks = await keptNetworks(seed);
    await trainAll(networks, seed);
    const dense = networks.find((n) => n.method === "dense");
    for (const method of methodsOf(seed)) {
      const network = networks.find((n) => n.method === method);
      if (network && dense) rows.push(...(await storedNetwork(network, seed, dense.model.length, data)));
      else rows.push(...earlier.filter((row) => row.seed === seed && row.method === method));
    }
  }
  if (rows.length === 0) throw new Error("there are no networks; run npm run protocol -- turbo-mnist first");
  await writeResults("turbo-packed", `npm run protocol -- turbo-packed --seeds ${values.seeds}`, {
    codes: CODES,
    training: STAGE,
    rows,
  });
}

/** By posterior steps where there are deviations, else by bits; pruned networks also as Deep Compression does, with few values a layer. */
function quantizationsOf({ job, sigmas }: KeptNetwork): [string, Quantization][] {
  if (sigmas && knows(sigmas)) return [0.5, 1].map((share) => [`${share} σ`, { share }]);
  return [
    ["3 bits", { bits: 3 }],
    job.kind === "dense" ? ["2 bits", { bits: 2 }] : ["8 values", { values: 8 }],
  ];
}

function quantizedJob({ job }: KeptNetwork, quantization: Quantization): QuantizedJob {
  return { kind: "quantized", network: job, quantization, stage: STAGE };
}

async function trainAll(networks: readonly KeptNetwork[], seed: number): Promise<void> {
  const named = networks.flatMap((network) =>
    quantizationsOf(network).map(
      ([name, q]) => [`${network.method}, ${name}`, quantizedJob(network, q)] as const,
    ),
  );
  await runJobs<QuantizedJob, QuantizedResult>(
    named.map(([, job]) => job),
    Number(values.parallel),
    JOBS,
    (job) => console.log(`trained: ${named.find((n) => n[1] === job)![0]}, seed ${seed}`),
  );
}

/** A network in all ways to store it. */
async function storedNetwork(
  network: KeptNetwork,
  seed: number,
  onnxBytes: number,
  data: Dataset,
): Promise<PackedRow[]> {
  const { method, model, sigmas } = network;
  const onnx = exportModel(shrinkZeros(foldConstants(importModel(model)).graph).graph);
  const ways = waysToStore(BITS, sigmas).map(([storage, options]) => ({ onnx, storage, options }));
  for (const [name, q] of quantizationsOf(network)) {
    const trained = (await keptResult<QuantizedResult>(quantizedJob(network, q), JOBS))!;
    ways.push({ onnx: trained.onnx, storage: `${name}, trained`, options: { steps: trained.steps } });
  }
  const rows: PackedRow[] = [];
  for (const { onnx, storage, options } of ways) {
    const row = { seed, method, onnxBytes, ...(await packed(onnx, storage, options, data)) };
    console.log(
      `${method}, seed ${seed}, ${storage}: error ${row.error.toFixed(2)} %, ${row.bytes} bytes, 1/${(row.onnxBytes / row.bytes).toFixed(1)} of the dense file; gzip ${row.gzipBytes}; bits a weight in use: index ${(row.indexBits.file / row.nonZeros).toFixed(2)} (CSR ${(row.indexBits.csr / row.nonZeros).toFixed(2)}), value ${(row.valueBits / row.nonZeros).toFixed(2)}`,
    );
    rows.push(row);
  }
  return rows;
}
