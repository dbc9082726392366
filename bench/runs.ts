/**
 * Does a kernel for runs pay? One sample through one linear layer: ONNX Runtime on the dense layer, the kernels weight by
 * weight, and in runs. Masks are drawn, of equal density with runs of different length, and trained: first layers of the
 * networks that `npm run protocol -- turbo-mnist` keeps in runs/protocols, without the neurons that have no influence.
 * Controls, where runs must not win: independent bits, and each row of a trained layer in an order of its own.
 *
 * All take turns in one process, with one thread, in processor time; ratios are medians of the ratios of turns. Of "kernel"
 * nothing is handed over. "dense" has ONNX Runtime's own cost of a call in it, which is what a session costs.
 * With all cases it writes docs/results/runs.json.
 *
 * usage: runs.js [--rounds 15] [--cases trained: those whose layer and mask hold this]
 */
import { parseArgs } from "node:util";
import { reportMarks } from "../protocols/support/marks.ts";
import { writeResults } from "../protocols/support/results.ts";
import { keptNetworks } from "../protocols/support/turbo/kept-networks.ts";
import type { Graph } from "../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../src/engine/graph.ts";
import { importModel } from "../src/engine/onnx/import.ts";
import { gemm } from "../src/engine/operators/index.ts";
import { createSession } from "../src/engine/session.ts";
import { tensor } from "../src/engine/tensor.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { foldConstants } from "../src/sparsity/fold-constants.ts";
import { findWeights } from "../src/sparsity/lines.ts";
import { patternStatistics } from "../src/sparsity/runs.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
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
const DRAWN: Readonly<Record<string, number | null>> = {
  "runs of 12": 12,
  "runs of 6": 6,
  "runs of 3": 3,
  "runs of 1.5": 1.5,
  random: null,
};
const TRAINED = ["chain", "chain, λ = 0.4", "iid", "magnitude, 1/40"];
/** Seconds of work in a turn. */
const TURN = 0.01;

const rng = random(1);
const round = (t: number) => Number(t.toPrecision(3));

interface Case {
  layer: string;
  mask: string;
  density: number;
  inputs: number;
  outputs: number;
  weights: Float32Array;
}

function drawnCases(): Case[] {
  return LAYERS.flatMap(({ name, inputs, outputs }) =>
    DENSITIES.flatMap((density) =>
      Object.entries(DRAWN).map(([mask, meanRun]) => ({
        layer: name,
        mask,
        density,
        inputs,
        outputs,
        weights: drawn(outputs, inputs, density, meanRun ?? 1 / (1 - density)),
      })),
    ),
  );
}

async function trainedCases(): Promise<Case[]> {
  const networks = (await keptNetworks(0)).filter(({ method }) => TRAINED.includes(method));
  if (networks.length < TRAINED.length)
    console.error("no trained masks: run npm run protocol -- turbo-mnist --seeds 0 first");
  return networks.flatMap(({ method, model }) => {
    const { graph } = shrinkZeros(foldConstants(importModel(model)).graph);
    const [{ parameter, shape }] = findWeights(graph);
    const { rows: outputs, columns: inputs } = shape;
    const trained = graph.parameters.get(parameter)!.data as Float32Array;
    const layer = { layer: `${inputs}→${outputs}`, density: densityOf(trained), inputs, outputs };
    return [
      { ...layer, mask: `${method}, trained`, weights: trained },
      { ...layer, mask: `${method}, trained, rows shuffled`, weights: shuffledRows(trained, inputs) },
    ];
  });
}

function densityOf(weights: Float32Array): number {
  return weights.reduce((used, w) => used + Number(w !== 0), 0) / weights.length;
}

/** As many weights in every row, anywhere. */
function shuffledRows(weights: Float32Array, columns: number): Float32Array {
  const made = new Float32Array(weights.length);
  for (let row = 0; row < weights.length; row += columns)
    rng.permutation(columns).forEach((from, to) => {
      made[row + to] = weights[row + from];
    });
  return made;
}

function drawn(rows: number, columns: number, density: number, meanRun: number): Float32Array {
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

async function measure({ layer, mask, density, inputs, outputs, weights: w }: Case) {
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
    layer,
    density: round(density),
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
    `${layer}, density ${row.density}, ${mask} (mean ${row.meanRun}, ${row.inQuads} in fours): dense ${row.microseconds.dense} µs, weight by weight ${row.microseconds.rows}, runs ${row.microseconds.runs}; ${row.rowsOverRuns} times as fast as weight by weight`,
  );
  return row;
}

const cases = [...drawnCases(), ...(await trainedCases())];
const rows = [];
for (const one of cases.filter(({ layer, mask }) => `${layer}, ${mask}`.includes(options.cases)))
  rows.push(await measure(one));
if (!options.cases) {
  const trained = rows.filter(({ mask }) => mask.includes("trained"));
  const gains = (which: (mask: string) => boolean) =>
    trained.filter(({ mask }) => which(mask)).map((r) => r.rowsOverRuns);
  reportMarks([
    {
      claim: "trained chains: runs at least 1.5 times as fast as weight by weight",
      passed: gains((m) => m.startsWith("chain") && !m.includes("shuffled")).every((g) => g >= 1.5),
    },
    {
      claim: "control: independent bits and shuffled rows gain less than a tenth",
      passed: gains((m) => m.startsWith("iid") || m.includes("shuffled")).every((g) => g < 1.1),
    },
  ]);
  await writeResults("runs", "npm run bench -- runs", { rows });
}
