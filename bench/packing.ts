/**
 * What the codes of packed models take: quantised matrices by runs and Huffman codes, by the adaptive code, and by DeepCABAC,
 * the coder of the standard for neural networks (NNCodec; Wiedemann et al. 2020), which is given the same levels and its best
 * options. Masks are drawn, with a known entropy, and trained: layers of the networks that `npm run protocol -- turbo-mnist` keeps
 * in runs/protocols. Control: of random bits nothing can take less than their entropy.
 *
 * Times are processor time on one thread, medians of five. With all cases it writes docs/results/packing.json.
 *
 * usage: packing.js [--cases trained: those whose name holds this] [--python venv/bin/python, which has NumPy and nncodec]
 */
import { parseArgs } from "node:util";
import { reportMarks } from "../protocols/support/marks.ts";
import { writeResults } from "../protocols/support/results.ts";
import { keptNetworks } from "../protocols/support/turbo/kept-networks.ts";
import { importModel } from "../src/engine/onnx/import.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { patternsOf, quantize } from "../src/sparsity/encoding/quantize.ts";
import { decodeTensor, encodings } from "../src/sparsity/encoding/tensor-code.ts";
import { foldConstants } from "../src/sparsity/fold-constants.ts";
import { findWeights } from "../src/sparsity/lines.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
import { startCoder } from "./peers/deepcabac.ts";

const { values: options } = parseArgs({
  options: {
    cases: { type: "string", default: "" },
    python: { type: "string", default: "/usr/bin/python3" },
  },
});

/** Bits of the values of weights in use. */
const BITS = 4;
const TRAINED = ["dense", "chain", "chain, λ = 0.4", "iid", "magnitude, 1/40"];
const rng = random(1);
const round = (t: number) => Number(t.toPrecision(3));

interface Case {
  name: string;
  rows: number;
  columns: number;
  /** Multiples of `step`. */
  values: Float32Array;
  step: number;
  /** Of the mask, in bits, where it is known. */
  maskEntropy?: number;
}

const entropy = (p: number) => (p > 0 && p < 1 ? -p * Math.log2(p) - (1 - p) * Math.log2(1 - p) : 0);

/** Normal weights where the mask is on, in steps of a quarter of their deviation. */
function drawn(
  name: string,
  rows: number,
  columns: number,
  chance: (i: number, before: boolean) => number,
): Case {
  const step = 0.25;
  let [maskEntropy, on] = [0, false];
  const values = Float32Array.from({ length: rows * columns }, (_, i) => {
    const p = chance(i, on);
    maskEntropy += entropy(p);
    on = rng.uniform() < p;
    return on ? step * (Math.round(rng.normal() / step) || 1) : 0;
  });
  return { name, rows, columns, values, step, maskEntropy };
}

function drawnCases(): Case[] {
  const [rows, columns, density] = [1000, 1000, 0.05];
  const chain = (meanRun: number) => (_: number, on: boolean) =>
    on ? 1 - 1 / meanRun : density / (1 - density) / meanRun;
  const [byRow, byColumn] = [rows, columns].map((n) =>
    Array.from({ length: n }, () => Math.exp(rng.normal() - 0.5)),
  );
  return [
    drawn("random", rows, columns, () => density),
    drawn("runs of 6", rows, columns, chain(6)),
    drawn("rows and columns of unequal density", rows, columns, (i) =>
      Math.min(0.9, density * byRow[Math.floor(i / columns)] * byColumn[i % columns]),
    ),
    drawn("full", rows, columns, () => 1),
  ];
}

/** Layers of the networks that are here, without neurons that have no influence. */
async function trainedCases(): Promise<Case[]> {
  const networks = (await keptNetworks(0)).filter(({ method }) => TRAINED.includes(method));
  if (networks.length < TRAINED.length)
    console.error("no trained weights: run npm run protocol -- turbo-mnist --seeds 0 first");
  return networks.flatMap(({ method, model }) => {
    const { graph } = shrinkZeros(foldConstants(importModel(model)).graph);
    return findWeights(graph)
      .slice(0, 2)
      .flatMap(({ parameter, name, shape: { rows, columns } }) => {
        const found = quantize(graph.parameters.get(parameter)!.data as Float32Array, BITS);
        return found?.step
          ? [{ name: `${method}, ${name}`, rows, columns, values: found.values, step: found.step }]
          : [];
      });
  });
}

/** What it gives, and processor seconds. */
function timed<T>(run: () => T): [T, number] {
  const times = Array.from({ length: 5 }, () => {
    const start = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  });
  return [run(), median(times)];
}

const coder = await startCoder(options.python);

async function measure({ name, rows, columns, values, step, maskEntropy }: Case) {
  const levels = Int32Array.from(values, (v) => Math.round(v / step));
  const nonZeros = levels.filter((l) => l !== 0).length;
  const encoded = encodings({ rows, columns, patterns: patternsOf(values) }, step);
  const [prefix, adaptive] = [encoded.prefix, encoded.adaptive!];
  const [back, decode] = timed(() => decodeTensor(adaptive, rows, columns));
  if (!back.every((p, i) => p === patternsOf(values)[i])) throw new Error(`${name}: not what was given`);
  const peer = await coder?.code(levels, rows, columns);
  const row = {
    name,
    rows,
    columns,
    nonZeros,
    bytes: { prefix: prefix.size, adaptive: adaptive.bytes.length, deepcabac: peer?.bytes ?? null },
    maskBytes: {
      entropy: maskEntropy === undefined ? null : Math.round(maskEntropy / 8),
      adaptive: Math.round(adaptive.indexBits / 8),
    },
    decodeNanoseconds: {
      adaptive: round((1e9 * decode) / values.length),
      deepcabac: peer ? round((1e9 * peer.decode) / values.length) : null,
    },
  };
  console.log(
    `${name}, ${rows} × ${columns}, ${nonZeros} in use: runs and Huffman ${row.bytes.prefix} bytes, adaptive ${row.bytes.adaptive}, DeepCABAC ${row.bytes.deepcabac}; mask ${row.maskBytes.adaptive} bytes (entropy ${row.maskBytes.entropy}); decoding ${row.decodeNanoseconds.adaptive} ns a weight (DeepCABAC ${row.decodeNanoseconds.deepcabac})`,
  );
  return row;
}

type Row = Awaited<ReturnType<typeof measure>>;
const sum = (of: readonly Row[], pick: (bytes: Row["bytes"]) => number) =>
  of.reduce((total, { bytes }) => total + pick(bytes), 0);

const cases = [...drawnCases(), ...(await trainedCases())];
const rows = [];
for (const one of cases.filter(({ name }) => name.includes(options.cases))) rows.push(await measure(one));
coder?.end();
if (!options.cases) {
  const pruned = rows.filter((r) => r.nonZeros < r.rows * r.columns);
  reportMarks([
    {
      claim: "pruned matrices: fewer bytes than runs and Huffman codes",
      passed: pruned.every(({ bytes }) => bytes.adaptive < bytes.prefix),
    },
    {
      claim: "pruned matrices: fewer bytes than DeepCABAC at its best in sum, and of none one per cent more",
      passed:
        coder !== undefined &&
        sum(pruned, (b) => b.adaptive) < sum(pruned, (b) => b.deepcabac!) &&
        pruned.every(({ bytes }) => bytes.adaptive < 1.01 * bytes.deepcabac!),
    },
    {
      claim: "control: random bits take their entropy, within one per cent",
      passed: rows
        .filter((r) => r.name === "random")
        .every(({ maskBytes: m }) => Math.abs(m.adaptive / m.entropy! - 1) < 0.01),
    },
  ]);
  await writeResults("packing", "npm run bench -- packing", {
    nncodec: coder?.version ?? null,
    bits: BITS,
    rows,
  });
}
