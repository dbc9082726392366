/**
 * wgsef.md P4: small networks of every kind of coupling lose random groups and compute what they computed with these
 * groups zero, in double and in single precision. Option: --seeds 0,1,2,3,4.
 */
import { parseArgs } from "node:util";
import { evaluate } from "../src/engine/evaluate.ts";
import type { Graph } from "../src/engine/graph.ts";
import { initializer } from "../src/engine/graph.ts";
import { createSession } from "../src/engine/session.ts";
import { tensor } from "../src/engine/tensor.ts";
import { densenet } from "../src/nn/models/densenet.ts";
import { mobilenetV2 } from "../src/nn/models/mobilenet.ts";
import { resnet } from "../src/nn/models/resnet.ts";
import { vgg } from "../src/nn/models/vgg.ts";
import { random } from "../src/random.ts";
import { accountModel } from "../src/sparsity/accounting.ts";
import { findGroups } from "../src/sparsity/groups/kinds.ts";
import { zeroGroups } from "../src/sparsity/groups.ts";
import { shrink } from "../src/sparsity/shrink.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
import { reportMarks } from "./support/marks.ts";
import { writeResults } from "./support/results.ts";

const IMAGE = { inputShape: [3, 8, 8], classes: 4 };
const NETWORKS: Record<string, () => Graph> = {
  VGG: () => vgg({ ...IMAGE, layout: [12, 12, "pool", 16, 16, "pool"], batchNorm: true }),
  ResNet: () => resnet({ ...IMAGE, widths: [8, 12], blocks: [2, 2] }),
  MobileNetV2: () => mobilenetV2({ ...IMAGE, width: 0.25 }),
  DenseNet: () => densenet({ ...IMAGE, depth: 3, growth: 6 }),
};
/** Share of the groups that stay, the first of each layer always. */
const KEEP = 0.5;

const { values } = parseArgs({ options: { seeds: { type: "string", default: "0,1,2,3,4" } } });
const seeds = values.seeds.split(",").map(Number);

/** The network with weights and statistics as irregular as those of training. */
function irregular(build: () => Graph, seed: number): Graph {
  const graph = build();
  const rng = random(seed);
  const fill = (name: string, draw: () => number) => {
    const { data } = initializer(graph, name)!;
    for (let i = 0; i < data.length; i++) data[i] = draw();
  };
  for (const [name, { shape, data }] of graph.parameters) {
    const scale = shape.length > 1 ? Math.sqrt((2 * shape[0]) / data.length) : 0.1;
    fill(name, () => scale * rng.normal());
  }
  for (const { op, inputs } of graph.nodes) {
    if (op !== "BatchNormalization") continue;
    fill(inputs[1], () => 1 + 0.3 * rng.normal());
    fill(inputs[3], () => 0.3 * rng.normal());
    fill(inputs[4], () => 0.5 + rng.uniform());
  }
  return graph;
}

function inputOf(seed: number): Float32Array {
  const rng = random(1000 + seed);
  return Float32Array.from({ length: 3 * 8 * 8 }, () => rng.normal());
}

function inDouble(graph: Graph, x: Float32Array): Float64Array {
  const feeds = { input: { shape: [1, 3, 8, 8], data: Float64Array.from(x) } };
  return Float64Array.from(evaluate(graph, feeds)[graph.outputs[0]].data);
}

async function inSingle(graph: Graph, x: Float32Array): Promise<Float32Array> {
  const session = await createSession(graph, { threads: 1 });
  const results = await session.run({ input: tensor("float32", [1, 3, 8, 8], x) });
  await session.release();
  return results[graph.outputs[0]].data as Float32Array;
}

/** Largest difference relative to the largest output. */
function difference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  const list = Array.from(expected);
  const largest = Math.max(...list.map(Math.abs));
  return Math.max(...list.map((v, i) => Math.abs(v - found[i]))) / largest;
}

interface Found {
  groups: { before: number; after: number };
  macs: { before: number; after: number };
  double: number;
  single: number;
  /** With one weight of the shrunk network changed. */
  wrong: number;
}

async function compare(build: () => Graph, seed: number): Promise<Found> {
  const graph = irregular(build, seed);
  const rng = random(100 + seed);
  const arrays = Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));
  const groups = { before: 0, after: 0 };
  for (const { partition } of findGroups(graph, "zero-invariant")) {
    const keep = Uint8Array.from({ length: partition.groups }, (_, j) =>
      Number(j === 0 || rng.uniform() < KEEP),
    );
    zeroGroups(partition, arrays, keep);
    groups.before += keep.length;
    groups.after += keep.reduce((a, b) => a + b, 0);
  }
  const small = shrinkZeros(graph).graph;
  const x = inputOf(seed);
  const found = {
    groups,
    macs: { before: accountModel(graph).total.macs, after: accountModel(small).total.macs },
    double: difference(inDouble(small, x), inDouble(graph, x)),
    single: difference(await inSingle(small, x), await inSingle(graph, x)),
  };
  const [first] = small.parameters.values();
  first.data[0] += 1;
  return { ...found, wrong: difference(inDouble(small, x), inDouble(graph, x)) };
}

/**
 * A filter of zeros whose batch norm leaves a shift of .3: behind it lies a constant, but a padded reader sees zeros at the
 * border, so the channel must stay.
 */
function shifted(seed: number): { cutOff: number; stays: boolean } {
  // Few filters, so that one of them counts.
  const build = () => vgg({ ...IMAGE, layout: [4, 8, "pool"], batchNorm: true });
  const graph = irregular(build, seed);
  const [set] = findGroups(graph, "filter");
  const channel = 1;
  const dead = (name: string, value: number) => {
    const { data, shape } = initializer(graph, name)!;
    (data as Float32Array).fill(
      value,
      (channel * data.length) / shape[0],
      ((channel + 1) * data.length) / shape[0],
    );
  };
  const norm = graph.nodes.find((n) => n.op === "BatchNormalization")!;
  dead("conv1.weight", 0);
  dead(norm.inputs[2], 0.3);
  dead(norm.inputs[3], 0);
  const mask = Array.from({ length: set.partition.groups }, (_, j) => j !== channel);
  const x = inputOf(seed);
  const cut = shrink(graph, new Map([[set.stream!, mask]]));
  return {
    cutOff: difference(inDouble(cut, x), inDouble(graph, x)),
    stays: shrinkZeros(graph).stayed.some((s) => s.channel === channel),
  };
}

const rows: (Omit<Found, "macs"> & { network: string; macsRatio: number })[] = [];
for (const [network, build] of Object.entries(NETWORKS)) {
  const runs: Found[] = [];
  for (const seed of seeds) runs.push(await compare(build, seed));
  const sum = (pick: (r: Found) => number) => runs.reduce((total, r) => total + pick(r), 0);
  const row = {
    network,
    groups: { before: sum((r) => r.groups.before), after: sum((r) => r.groups.after) },
    macsRatio: sum((r) => r.macs.before) / sum((r) => r.macs.after),
    double: Math.max(...runs.map((r) => r.double)),
    single: Math.max(...runs.map((r) => r.single)),
    wrong: Math.min(...runs.map((r) => r.wrong)),
  };
  rows.push(row);
  console.log(
    `${network.padEnd(12)} ${row.groups.before} → ${row.groups.after} groups, MACs ${row.macsRatio.toFixed(2)}× fewer; differs by ${row.double.toExponential(1)} in double, ${row.single.toExponential(1)} in single precision; with one wrong weight ${row.wrong.toExponential(1)}`,
  );
}
const shift = seeds.map(shifted);
console.log();
reportMarks([
  { claim: "equal to 1e-12 in double precision", passed: rows.every((r) => r.double < 1e-12) },
  { claim: "equal to 1e-5 in single precision", passed: rows.every((r) => r.single < 1e-5) },
  { claim: "half of the groups save at least half of the MACs", passed: rows.every((r) => r.macsRatio > 2) },
  {
    claim: "control: with one wrong weight they differ by more than either",
    passed: rows.every((r) => r.wrong > 1e-5),
  },
  {
    claim:
      "control: a filter of zeros with a shift of .3 left behind it stays; cut off, outputs differ by more than .05",
    passed: shift.every(({ cutOff, stays }) => stays && cutOff > 0.05),
  },
]);
await writeResults("shrink-equivalence", `npm run protocol -- shrink-equivalence --seeds ${values.seeds}`, {
  seeds,
  rows,
  shift,
});
