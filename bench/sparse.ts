/**
 * From which sparsity on do the WebAssembly kernels beat dense layers? Prints, for each shape and batch and with one and
 * two threads, the time of ONNX Runtime and of PyTorch on the dense layer and of the kernels at rising sparsity, and where
 * they cross.
 *
 * All of them take turns, in medians. One thread is measured in processor time, so that a busy machine is busy for all; of
 * more threads only the wall time says what they gain, which wants a quiet machine. "kernel" is what a layer costs between
 * other sparse layers; "layer" is a session of that layer alone, with values handed over from row-major arrays and back.
 * With all cases and both it writes docs/results/sparse.json.
 *
 * usage: sparse.js [--threads 1,2] [--rounds 7] [--cases "conv 3×3 64": layers whose name holds this] [--python /usr/bin/python3]
 */
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { writeResults } from "../protocols/support/results.ts";
import type { Graph } from "../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../src/engine/graph.ts";
import { conv, gemm } from "../src/engine/operators/index.ts";
import { createSession } from "../src/engine/session.ts";
import type { Tensor } from "../src/engine/tensor.ts";
import { sizeOf, tensor } from "../src/engine/tensor.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { hasRelaxedSimd } from "../src/sparsity/sparse/kernels.ts";
import { sparseLayers } from "../src/sparsity/sparse/pieces.ts";
import { createRunner } from "../src/sparsity/sparse/runner.ts";

const { values: options } = parseArgs({
  options: {
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "7" },
    cases: { type: "string", default: "" },
    python: { type: "string", default: "/usr/bin/python3" },
  },
});

interface Layer {
  name: string;
  outputs: number;
  inputs: number;
  /** Height and width under a 3×3 window; 0 for a linear layer. */
  size: number;
}

const LAYERS: readonly Layer[] = [
  { name: "linear 512→512", inputs: 512, outputs: 512, size: 0 },
  { name: "linear 4096→1024", inputs: 4096, outputs: 1024, size: 0 },
  { name: "conv 3×3 64→64, 32×32", inputs: 64, outputs: 64, size: 32 },
  { name: "conv 3×3 256→256, 8×8", inputs: 256, outputs: 256, size: 8 },
];
const BATCHES = [1, 32, 256];
const SPARSITIES = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98];
/** Seconds of work in a turn, at least one run. */
const TURN = 0.005;

/** Milliseconds after which the idle threads of ONNX Runtime, OpenMP and OpenBLAS no longer look for work. */
const REST = 60;

const rng = random(1);

function layerGraph({ outputs, inputs, size }: Layer, batch: number, sparsity: number, block: number): Graph {
  const graph = createGraph("layer");
  const taps = size ? 9 : 1;
  const columns = inputs * taps;
  const w = new Float32Array(outputs * columns);
  // Blocks of `block` rows and one column are zero or not as a whole.
  for (let row = 0; row < outputs; row += block)
    for (let column = 0; column < columns; column++)
      if (rng.uniform() >= sparsity)
        for (let r = row; r < row + block; r++) w[r * columns + column] = rng.normal() / Math.sqrt(columns);
  if (size) {
    const x = input(graph, "x", [batch, inputs, size, size]);
    output(conv(x, parameter(graph, "w", tensor("float32", [outputs, inputs, 3, 3], w)), { pads: 1 }));
  } else {
    const x = input(graph, "x", [batch, inputs]);
    output(gemm(x, parameter(graph, "w", tensor("float32", [outputs, inputs], w)), { transB: true }));
  }
  return graph;
}

function feedsOf(graph: Graph): Record<string, Tensor> {
  const { shape } = graph.types.get("x")!;
  return {
    x: tensor(
      "float32",
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()),
    ),
  };
}

/** Something that takes its turns; `run` may be a promise. */
interface Job {
  key: string;
  run: (runs: number) => Promise<number>;
  seconds: number[];
}

/** Seconds of one of `runs` runs: processor time with one thread, else wall time. */
async function timeOf(run: () => unknown, runs: number, threads: number): Promise<number> {
  const now = () => {
    if (threads > 1) return performance.now() / 1e3;
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const start = now();
  for (let i = 0; i < runs; i++) await run();
  return (now() - start) / runs;
}

const job = (key: string, run: () => unknown, threads = 1): Job => ({
  key,
  run: (runs) => timeOf(run, runs, threads),
  seconds: [],
});

/** A job whose threads go on for a while after it has ended; what comes next waits until they rest. */
const withRest = ({ run, ...job }: Job, threads: number): Job => ({
  ...job,
  run: async (runs) => {
    const seconds = await run(runs);
    if (threads > 1) await new Promise((resolve) => setTimeout(resolve, REST));
    return seconds;
  },
});

async function takeTurns(jobs: readonly Job[]): Promise<Record<string, number>> {
  const runs: number[] = [];
  for (const { run } of jobs) {
    await run(2);
    runs.push(Math.max(1, Math.ceil(TURN / (await run(1)))));
  }
  for (let round = 0; round < Number(options.rounds); round++)
    for (const [i, { run, seconds }] of jobs.entries()) seconds.push(await run(runs[i]));
  return Object.fromEntries(jobs.map(({ key, seconds }) => [key, 1000 * median(seconds)]));
}

/** The jobs of one sparse layer, and how to let go of it. */
async function sparseJobs(
  layer: Layer,
  batch: number,
  sparsity: number,
  { block = 1, suffix = "", threads = 1 } = {},
) {
  const graph = layerGraph(layer, batch, sparsity, block);
  const runner = await createRunner(graph, new Set(sparseLayers(graph)), { kernelThreads: threads });
  const feeds = feedsOf(graph);
  await runner.run(feeds);
  const key = `${sparsity}${suffix}`;
  return {
    jobs: [
      job(`kernel ${key}`, runner.runSparse, threads),
      job(`layer ${key}`, () => runner.run(feeds), threads),
    ],
    release: runner.release,
  };
}

async function startTorch(threads: number) {
  if (spawnSync(options.python, ["-c", "import torch"], { stdio: "ignore" }).status !== 0) return undefined;
  const script = fileURLToPath(new URL("../../bench/peers/torch-dense.py", import.meta.url));
  const child = spawn(options.python, [script, `${threads}`], {
    // Blocks that are not given back to the system after every run.
    env: {
      ...process.env,
      OMP_NUM_THREADS: `${threads}`,
      OPENBLAS_NUM_THREADS: `${threads}`,
      MALLOC_MMAP_THRESHOLD_: "4000000000",
      MALLOC_TRIM_THRESHOLD_: "8000000000",
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${options.python} ended early`);
    return JSON.parse(value);
  };
  const { version, blas } = await answer();
  if (!/openblas|mkl|blis/i.test(String(blas)))
    console.error(
      "PyTorch runs on the reference BLAS, which nobody would use: install libopenblas0-pthread.",
    );
  return {
    version: `${version}, ${blas}`,
    seconds: async (layer: Layer, batch: number, runs: number): Promise<number> => {
      child.stdin.write(`${JSON.stringify({ batch, ...layer, runs })}\n`);
      return (await answer()).seconds;
    },
    end: () => child.stdin.end(),
  };
}

/** The sparsity at which a time that falls with it meets the dense time, interpolated; null where it never does. */
function crossing(dense: number, times: readonly number[]): number | null {
  const first = times.findIndex((t) => t <= dense);
  if (first <= 0) return first === 0 ? SPARSITIES[0] : null;
  const share = (times[first - 1] - dense) / (times[first - 1] - times[first]);
  return Number((SPARSITIES[first - 1] + share * (SPARSITIES[first] - SPARSITIES[first - 1])).toFixed(3));
}

const round = (t: number) => Number(t.toPrecision(3));
const layers = LAYERS.filter(({ name }) => name.includes(options.cases));
const rows: object[] = [];
let version: string | undefined;

async function measure(
  layer: Layer,
  batch: number,
  threads: number,
  torch: Awaited<ReturnType<typeof startTorch>>,
) {
  const graph = layerGraph(layer, batch, 0, 1);
  const dense = await createSession(graph, { threads });
  const feeds = feedsOf(graph);
  const peers = [job("dense", () => dense.run(feeds), threads)];
  if (torch) peers.push({ key: "torch", run: (runs) => torch.seconds(layer, batch, runs), seconds: [] });
  const sparse = [];
  for (const sparsity of SPARSITIES) sparse.push(await sparseJobs(layer, batch, sparsity, { threads }));
  const blocks = batch === 32 && threads === 1 ? [0.8, 0.9] : [];
  for (const sparsity of blocks)
    sparse.push(await sparseJobs(layer, batch, sparsity, { block: 4, suffix: " in blocks" }));
  const ms = await takeTurns([
    ...peers.map((peer) => withRest(peer, threads)),
    ...sparse.flatMap((s) => s.jobs),
  ]);
  for (const { release } of sparse) await release();
  await dense.release();
  const list = (kind: string) => SPARSITIES.map((s) => ms[`${kind} ${s}`]);
  const ratios = (peer: string, kind: string) =>
    Object.fromEntries(SPARSITIES.map((s) => [s, round(ms[peer] / ms[`${kind} ${s}`])]));
  const row = {
    layer: layer.name,
    batch,
    threads,
    ms: Object.fromEntries(Object.entries(ms).map(([key, t]) => [key, round(t)])),
    denseOverKernel: ratios("dense", "kernel"),
    denseOverLayer: ratios("dense", "layer"),
    ...(torch && { torchOverKernel: ratios("torch", "kernel") }),
    ...(blocks.length > 0 && {
      denseOverKernelInBlocks: Object.fromEntries(
        blocks.map((s) => [s, round(ms.dense / ms[`kernel ${s} in blocks`])]),
      ),
    }),
    crossing: { kernel: crossing(ms.dense, list("kernel")), layer: crossing(ms.dense, list("layer")) },
  };
  console.log(
    `${layer.name}, batch ${batch}, threads ${threads}: dense ${round(ms.dense)} ms${torch ? `, PyTorch ${round(ms.torch)} ms` : ""}; dense ÷ kernel ${SPARSITIES.map((s) => `${100 * s} %: ${row.denseOverKernel[s]}`).join(", ")}; crossing ${row.crossing.kernel ?? "never"} (layer alone ${row.crossing.layer ?? "never"})`,
  );
  return row;
}

for (const threads of options.threads.split(",").map(Number)) {
  const torch = await startTorch(threads);
  version ??= torch?.version;
  for (const layer of layers)
    for (const batch of BATCHES) rows.push(await measure(layer, batch, threads, torch));
  torch?.end();
}

// The same kernels with fused multiply–add. Node.js 20 has it behind a flag, which counts from the next compilation on.
const relaxed: Record<string, Record<string, number>> = {};
if (!hasRelaxedSimd()) {
  const batch = 32;
  for (const layer of layers) {
    setFlagsFromString("--no-experimental-wasm-relaxed-simd");
    const plain = await sparseJobs(layer, batch, 0.8, { suffix: " plain" });
    setFlagsFromString("--experimental-wasm-relaxed-simd");
    const fused = await sparseJobs(layer, batch, 0.8, { suffix: " fused" });
    const ms = await takeTurns([plain.jobs[0], fused.jobs[0]]);
    relaxed[layer.name] = { plainOverFused: round(ms["kernel 0.8 plain"] / ms["kernel 0.8 fused"]) };
    for (const { release } of [plain, fused]) await release();
  }
  console.log("plain ÷ fused multiply–add at 80 %, batch 32:", JSON.stringify(relaxed));
}
if (!options.cases && options.threads === "1,2")
  await writeResults("sparse", "npm run bench -- sparse", {
    torch: version ?? null,
    relaxedSimd: hasRelaxedSimd() && Object.keys(relaxed).length === 0,
    rows,
    relaxed,
  });
