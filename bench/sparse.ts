/**
 * From which sparsity on do the WebAssembly kernels beat dense layers? Prints, for each shape and batch, the processor
 * time of ONNX Runtime and of PyTorch on the dense layer and of the kernels at rising sparsity, and where they cross.
 *
 * One thread. All of them take turns, in medians of processor time, so that a busy machine is busy for all. "kernel" is
 * what a layer costs between other sparse layers; "layer" is a session of that layer alone, with values handed over
 * from row-major arrays and back. With all cases it writes docs/results/sparse.json.
 *
 * usage: sparse.js [--rounds 7] [--cases "conv 3×3 64": layers whose name holds this] [--python /usr/bin/python3]
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

/** Processor time of one of `runs` runs. */
async function processorTime(run: () => unknown, runs: number): Promise<number> {
  const start = process.cpuUsage();
  for (let i = 0; i < runs; i++) await run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6 / runs;
}

const job = (key: string, run: () => unknown): Job => ({
  key,
  run: (runs) => processorTime(run, runs),
  seconds: [],
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
async function sparseJobs(layer: Layer, batch: number, sparsity: number, block: number, suffix = "") {
  const graph = layerGraph(layer, batch, sparsity, block);
  const runner = await createRunner(graph, new Set(sparseLayers(graph)));
  const feeds = feedsOf(graph);
  await runner.run(feeds);
  const key = `${sparsity}${suffix}`;
  return {
    jobs: [job(`kernel ${key}`, runner.runSparse), job(`layer ${key}`, () => runner.run(feeds))],
    release: runner.release,
  };
}

async function startTorch() {
  if (spawnSync(options.python, ["-c", "import torch"], { stdio: "ignore" }).status !== 0) return undefined;
  const script = fileURLToPath(new URL("../../bench/peers/torch-dense.py", import.meta.url));
  const child = spawn(options.python, [script], {
    // One thread, and blocks that are not given back to the system after every run.
    env: {
      ...process.env,
      OMP_NUM_THREADS: "1",
      OPENBLAS_NUM_THREADS: "1",
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
const torch = await startTorch();
const rows = [];
for (const layer of LAYERS.filter(({ name }) => name.includes(options.cases)))
  for (const batch of BATCHES) {
    const graph = layerGraph(layer, batch, 0, 1);
    const dense = await createSession(graph, { threads: 1 });
    const feeds = feedsOf(graph);
    const jobs = [job("dense", () => dense.run(feeds))];
    if (torch) jobs.push({ key: "torch", run: (runs) => torch.seconds(layer, batch, runs), seconds: [] });
    const sparse = [];
    for (const sparsity of SPARSITIES) sparse.push(await sparseJobs(layer, batch, sparsity, 1));
    if (batch === 32)
      for (const sparsity of [0.8, 0.9])
        sparse.push(await sparseJobs(layer, batch, sparsity, 4, " in blocks"));
    const ms = await takeTurns([...jobs, ...sparse.flatMap((s) => s.jobs)]);
    for (const { release } of sparse) await release();
    await dense.release();
    const list = (kind: string) => SPARSITIES.map((s) => ms[`${kind} ${s}`]);
    const row = {
      layer: layer.name,
      batch,
      ms: Object.fromEntries(Object.entries(ms).map(([key, t]) => [key, round(t)])),
      denseOverKernel: Object.fromEntries(SPARSITIES.map((s) => [s, round(ms.dense / ms[`kernel ${s}`])])),
      denseOverLayer: Object.fromEntries(SPARSITIES.map((s) => [s, round(ms.dense / ms[`layer ${s}`])])),
      ...(torch && {
        torchOverKernel: Object.fromEntries(SPARSITIES.map((s) => [s, round(ms.torch / ms[`kernel ${s}`])])),
      }),
      ...(batch === 32 && {
        denseOverKernelInBlocks: Object.fromEntries(
          [0.8, 0.9].map((s) => [s, round(ms.dense / ms[`kernel ${s} in blocks`])]),
        ),
      }),
      crossing: { kernel: crossing(ms.dense, list("kernel")), layer: crossing(ms.dense, list("layer")) },
    };
    rows.push(row);
    console.log(
      `${layer.name}, batch ${batch}: dense ${round(ms.dense)} ms${torch ? `, PyTorch ${round(ms.torch)} ms` : ""}; dense ÷ kernel ${SPARSITIES.map((s) => `${100 * s} %: ${row.denseOverKernel[s]}`).join(", ")}; crossing ${row.crossing.kernel ?? "never"} (layer alone ${row.crossing.layer ?? "never"})`,
    );
  }

// The same kernels with fused multiply–add. Node.js 20 has it behind a flag, which counts from the next compilation on.
const relaxed: Record<string, Record<string, number>> = {};
if (!hasRelaxedSimd()) {
  const batch = 32;
  for (const layer of LAYERS.filter(({ name }) => name.includes(options.cases))) {
    setFlagsFromString("--no-experimental-wasm-relaxed-simd");
    const plain = await sparseJobs(layer, batch, 0.8, 1, " plain");
    setFlagsFromString("--experimental-wasm-relaxed-simd");
    const fused = await sparseJobs(layer, batch, 0.8, 1, " fused");
    const ms = await takeTurns([plain.jobs[0], fused.jobs[0]]);
    relaxed[layer.name] = { plainOverFused: round(ms["kernel 0.8 plain"] / ms["kernel 0.8 fused"]) };
    for (const { release } of [plain, fused]) await release();
  }
  console.log("plain ÷ fused multiply–add at 80 %, batch 32:", JSON.stringify(relaxed));
}
torch?.end();
if (!options.cases)
  await writeResults("sparse", "npm run bench -- sparse", {
    threads: 1,
    torch: torch?.version ?? null,
    relaxedSimd: hasRelaxedSimd() && Object.keys(relaxed).length === 0,
    rows,
    relaxed,
  });
