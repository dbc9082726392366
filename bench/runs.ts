/**
 * Does a kernel for runs pay? One sample through one linear layer: ONNX Runtime on the dense layer, the kernels weight by
 * weight, and in runs, for masks of equal density that differ only in how long their runs are. Independent bits are the
 * control: there runs must not win.
 *
 * All take turns in one process, with one thread, in processor time; ratios are medians of the ratios of turns. Of "kernel"
 * nothing is handed over. "dense" has ONNX Runtime's own cost of a call in it, which is what a session costs.
 * With all cases it writes docs/results/runs.json.
 *
 * usage: runs.js [--rounds 15] [--cases 784: layers whose name holds this]
 */
import { parseArgs } from "node:util";
import { writeResults } from "../protocols/support/results.ts";
import type { Graph } from "../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../src/engine/graph.ts";
import { gemm } from "../src/engine/operators/index.ts";
import { createSession } from "../src/engine/session.ts";
import { tensor } from "../src/engine/tensor.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { patternStatistics } from "../src/sparsity/runs.ts";
import { compressMatrix } from "../src/sparsity/sparse/matrix.ts";
import { sparseLayers } from "../src/sparsity/sparse/pieces.ts";
import { cutRows, shareInQuads } from "../src/sparsity/sparse/run-matrix.ts";
import { createRunner } from "../src/sparsity/sparse/runner.ts";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "15" }, cases: { type: "string", default: "" } },
});

const LAYERS = [
  { name: "784→300", inputs: 784, outputs: 300 },
  { name: "2048→1024", inputs: 2048, outputs: 1024 },
];
const DENSITIES = [0.05, 0.1, 0.2];
/** Mean length of runs; null for independent bits. */
const MASKS: Readonly<Record<string, number | null>> = {
  "runs of 12": 12,
  "runs of 6": 6,
  "runs of 3": 3,
  "runs of 1.5": 1.5,
  random: null,
};
/** Seconds of work in a turn. */
const TURN = 0.01;

const rng = random(1);
const round = (t: number) => Number(t.toPrecision(3));

function weights(rows: number, columns: number, density: number, meanRun: number): Float32Array {
  let on = false;
  return Float32Array.from({ length: rows * columns }, () => {
    on = rng.uniform() < (on ? 1 - 1 / meanRun : density / (1 - density) / meanRun);
    return on ? rng.normal() : 0;
  });
}

function layerGraph(outputs: number, inputs: number, w: Float32Array): Graph {
  const graph = createGraph("layer");
  const x = input(graph, "x", [1, inputs]);
  output(gemm(x, parameter(graph, "w", tensor("float32", [outputs, inputs], w)), { transB: true }));
  return graph;
}

/** Processor seconds of one of `runs` runs. */
async function timeOf(run: () => unknown, runs: number): Promise<number> {
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < runs; i++) await run();
  const after = process.cpuUsage();
  return (after.user + after.system - user - system) / 1e6 / runs;
}

async function measure({ name, inputs, outputs }: (typeof LAYERS)[number], density: number, mask: string) {
  const w = weights(outputs, inputs, density, MASKS[mask] ?? 1 / (1 - density));
  const graph = layerGraph(outputs, inputs, w);
  const feeds = {
    x: tensor(
      "float32",
      [1, inputs],
      Float32Array.from({ length: inputs }, () => rng.normal()),
    ),
  };
  const layers = new Set(sparseLayers(graph));
  const rows = await createRunner(graph, layers, { format: "row" });
  const runs = await createRunner(graph, layers, { format: "run" });
  const dense = await createSession(graph, { threads: 1 });
  await rows.run(feeds);
  await runs.run(feeds);
  const jobs = [() => dense.run(feeds), () => rows.runSparse(), () => runs.runSparse()];
  const counts: number[] = [];
  for (const job of jobs) {
    await timeOf(job, 50);
    counts.push(Math.ceil(TURN / Math.max(1e-7, await timeOf(job, 200))));
  }
  const turns: number[][] = [];
  for (let turn = 0; turn < Number(options.rounds); turn++) {
    const times: number[] = [];
    for (const [i, job] of jobs.entries()) times.push(await timeOf(job, counts[i]));
    turns.push(times);
  }
  for (const { release } of [rows, runs, dense]) await release();
  const matrix = compressMatrix("row", w, outputs, inputs);
  const found = patternStatistics({ lines: outputs, columns: inputs, mask: w });
  const row = {
    layer: name,
    density,
    mask,
    meanRun: round(found.nonZeros / found.runs),
    inQuads: round(
      shareInQuads(
        cutRows(matrix, (_, column) => 4 * column),
        matrix,
      ),
    ),
    microseconds: {
      dense: round(1e6 * median(turns.map((t) => t[0]))),
      rows: round(1e6 * median(turns.map((t) => t[1]))),
      runs: round(1e6 * median(turns.map((t) => t[2]))),
    },
    rowsOverRuns: round(median(turns.map((t) => t[1] / t[2]))),
    denseOverRuns: round(median(turns.map((t) => t[0] / t[2]))),
  };
  console.log(
    `${name}, density ${density}, ${mask} (mean ${row.meanRun}, ${row.inQuads} in fours): dense ${row.microseconds.dense} µs, weight by weight ${row.microseconds.rows}, runs ${row.microseconds.runs}; ${row.rowsOverRuns} times as fast as weight by weight`,
  );
  return row;
}

const rows = [];
for (const layer of LAYERS.filter(({ name }) => name.includes(options.cases)))
  for (const density of DENSITIES)
    for (const mask of Object.keys(MASKS)) rows.push(await measure(layer, density, mask));
if (!options.cases) await writeResults("runs", "npm run bench -- runs", { rows });
