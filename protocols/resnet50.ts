/**
 * ResNet50 from a file that others made (light_resnet50.onnx of the ONNX model zoo, whose weights are placeholders: random
 * ones take their place), at half its multiply–accumulates: is it the same function, and is it faster? Options:
 * --models <folder that holds onnx/light>, --seeds 0,1,2, --round 8, --runs 15.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Graph } from "../src/engine/graph.ts";
import { exportModel } from "../src/engine/onnx/export.ts";
import { importModel } from "../src/engine/onnx/import.ts";
import { createSession } from "../src/engine/session.ts";
import { sizeOf, tensor } from "../src/engine/tensor.ts";
import { random } from "../src/random.ts";
import { countsWithin, parseBudget, planBudget } from "../src/runs/budget.ts";
import { measureLatency } from "../src/runs/latency.ts";
import { accountModel } from "../src/sparsity/accounting.ts";
import { alignChannels } from "../src/sparsity/align.ts";
import { findGroups } from "../src/sparsity/groups/kinds.ts";
import { groupNorms, zeroGroups } from "../src/sparsity/groups.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
import { reportMarks } from "./support/marks.ts";
import { summarize, writeResults } from "./support/results.ts";

const { values } = parseArgs({
  options: {
    models: { type: "string" },
    seeds: { type: "string", default: "0,1,2" },
    round: { type: "string", default: "8" },
    runs: { type: "string", default: "15" },
  },
});
if (!values.models) {
  console.error("give --models, the folder that holds onnx/light/light_resnet50.onnx");
  process.exit(2);
}
const BUDGET = "macs=0.5";
const file = await readFile(join(values.models, "onnx/light/light_resnet50.onnx"));

/** The file's network with random weights that keep the scale of what passes through. */
function network(seed: number): Graph {
  const graph = importModel(file);
  const rng = random(seed);
  for (const { shape, data } of graph.parameters.values()) {
    const scale = shape.length > 1 ? Math.sqrt(2 / sizeOf(shape.slice(1))) : 0.1;
    const shift = shape.length > 1 ? 0 : 0.5;
    for (let i = 0; i < data.length; i++) data[i] = shift + scale * rng.normal();
  }
  for (const node of graph.nodes)
    if (node.op === "BatchNormalization")
      (graph.constants.get(node.inputs[4])?.data as Float32Array | undefined)?.fill(1);
  return graph;
}

async function outputsOf(graph: Graph, seed: number): Promise<Float32Array> {
  const rng = random(1000 + seed);
  const { shape } = graph.types.get(graph.inputs[0])!;
  const x = Float32Array.from({ length: sizeOf(shape) }, () => rng.normal());
  const session = await createSession(graph, { threads: 1 });
  const results = await session.run({ [graph.inputs[0]]: tensor("float32", shape, x) });
  await session.release();
  return results[graph.outputs[0]].data as Float32Array;
}

/** Largest difference relative to the largest output. */
function difference(a: Float32Array, b: Float32Array): number {
  const largest = a.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i])), 0) / largest;
}

/** Medians of interleaved runs; `ratio` is before ÷ the faster of what was shrunk, `ofMacRatio` that over the MACs'. */
interface Latencies {
  before: number;
  zerosInPlace: number;
  after: number;
  aligned: number;
  ratio: number;
  ofMacRatio: number;
}

interface Row {
  seed: number;
  macs: { before: number; after: number };
  parameters: { before: number; after: number };
  outputError: number;
  errorWithOneWrongWeight: number;
  latencyMs: Record<"batch 1" | "batch 8", Latencies>;
}

const rows: Row[] = [];
for (const seed of values.seeds.split(",").map(Number)) {
  const graph = network(seed);
  const dense = importModel(exportModel(graph));
  const sets = findGroups(graph, "filter");
  const round = Number(values.round);
  const counts = countsWithin(graph, sets, planBudget(graph, sets, parseBudget(BUDGET), { round }));
  const arrays = Object.fromEntries([...graph.parameters].map(([n, t]) => [n, t.data as Float32Array]));
  for (const { name, partition } of sets) {
    const norms = groupNorms(partition, arrays);
    const strongest = [...norms.keys()].sort((a, b) => norms[b] - norms[a]).slice(0, counts[name]);
    zeroGroups(
      partition,
      arrays,
      Uint8Array.from(norms, (_, j) => Number(strongest.includes(j))),
    );
  }
  const shrunk = shrinkZeros(graph).graph;
  const aligned = alignChannels(shrunk);
  const masked = await outputsOf(graph, seed);
  const outputError = difference(masked, await outputsOf(shrunk, seed));
  // The control: one weight of the shrunk network changed.
  const wrong = importModel(exportModel(shrunk));
  const first = [...wrong.parameters.values()][0].data;
  first[0] += 1;
  const errorWithOneWrongWeight = difference(masked, await outputsOf(wrong, seed));
  const cost = (g: Graph) => accountModel(g).total;
  const macRatio = cost(dense).macs / cost(shrunk).macs;
  const latenciesAt = async (batch: number): Promise<Latencies> => {
    const [before, zerosInPlace, after, filled] = await measureLatency([dense, graph, shrunk, aligned], {
      batch,
      threads: 1,
      runs: Number(values.runs),
    });
    const ratio = before / Math.min(after, filled);
    return { before, zerosInPlace, after, aligned: filled, ratio, ofMacRatio: ratio / macRatio };
  };
  rows.push({
    seed,
    macs: { before: cost(dense).macs, after: cost(shrunk).macs },
    parameters: { before: cost(dense).parameters, after: cost(shrunk).parameters },
    outputError,
    errorWithOneWrongWeight,
    latencyMs: { "batch 1": await latenciesAt(1), "batch 8": await latenciesAt(8) },
  });
  console.log(JSON.stringify(rows.at(-1), undefined, 1));
}
const ratios = (batch: keyof Row["latencyMs"]) => rows.map((r) => r.latencyMs[batch].ofMacRatio);
const shareOfMacRatio = { "batch 1": summarize(ratios("batch 1")), "batch 8": summarize(ratios("batch 8")) };
console.log(JSON.stringify(shareOfMacRatio, undefined, 1));
const all = (holds: (r: Row) => boolean) => rows.every(holds);
reportMarks([
  {
    claim: "half of the multiply–accumulates at most are left",
    passed: all((r) => 2 * r.macs.after <= r.macs.before),
  },
  { claim: "outputs are those of the masked network to 1e-4", passed: all((r) => r.outputError < 1e-4) },
  {
    claim: "control: with one wrong weight they are not",
    passed: all((r) => r.errorWithOneWrongWeight > 1e-4),
  },
  {
    claim: "it is at least 0.8 times as much faster as it has fewer multiply–accumulates",
    passed: [...shareOfMacRatio["batch 1"].values, ...shareOfMacRatio["batch 8"].values].every(
      (v) => v >= 0.8,
    ),
  },
  {
    claim: "control: the same zeros left in place make it less than 1.1 times as fast",
    passed: all((r) => Object.values(r.latencyMs).every((l) => l.before / l.zerosInPlace < 1.1)),
  },
]);
await writeResults("resnet50", "npm run protocol -- resnet50 --models <folder>", {
  settings: { budget: BUDGET, round: Number(values.round), runs: Number(values.runs) },
  shareOfMacRatio,
  rows,
});
