/**
 * How much faster are whole networks whose zeros are skipped? For each network, sparsity and batch the time of the dense network in
 * ONNX Runtime ÷ that of a sparse session that runs every layer in the kernels, and whether the measuring session takes that one:
 * zeros lie in random places of all weights. One thread, processor time, the two in turn, medians. Writes
 * docs/results/sparse-networks.json.
 *
 * usage: sparse-networks.js [--networks lenet,resnet20] [--turns 12]; with some networks alone it writes nothing
 */
import { parseArgs } from "node:util";
import { writeResults } from "../protocols/support/results.ts";
import type { Graph } from "../src/engine/graph.ts";
import { rebatch } from "../src/engine/replay.ts";
import { createSession } from "../src/engine/session.ts";
import { decoder } from "../src/nn/models/decoder.ts";
import { MODELS } from "../src/nn/models/index.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { sampleInputs } from "../src/runs/sample-inputs.ts";
import { accountModel } from "../src/sparsity/accounting.ts";
import { hasRelaxedSimd } from "../src/sparsity/sparse/kernels.ts";
import { createSparseSession } from "../src/sparsity/sparse/session.ts";

const built = (name: string, inputShape: number[]) => () =>
  MODELS[name]({ inputShape, classes: 10, seed: 1 });
const NETWORKS: Record<string, () => Graph> = {
  "lenet-300-100": built("lenet-300-100", [1, 28, 28]),
  lenet: built("lenet", [1, 28, 28]),
  "vgg-bn": built("vgg-bn", [3, 32, 32]),
  resnet20: built("resnet20", [3, 32, 32]),
  densenet40: built("densenet40", [3, 32, 32]),
  "mobilenet-v2": built("mobilenet-v2", [3, 32, 32]),
  // Four blocks of width 256, 64 tokens a sample.
  transformer: () =>
    decoder({
      ...{ layout: "opt", vocabulary: 512, context: 64, width: 256, blocks: 4, heads: 4, mlpWidth: 1024 },
      seed: 1,
    }),
};
const SPARSITIES = [0.8, 0.9, 0.95];
const BATCHES = [1, 16];

const { values: options } = parseArgs({
  options: { networks: { type: "string" }, turns: { type: "string", default: "12" } },
});

function network(name: string, sparsity: number): Graph {
  const graph = NETWORKS[name]();
  const rng = random(1);
  for (const { shape, data } of graph.parameters.values())
    if (shape.length > 1) for (let i = 0; i < data.length; i++) if (rng.uniform() < sparsity) data[i] = 0;
  return graph;
}

/** Seconds of processor time. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

async function measure(name: string, sparsity: number, batch: number) {
  const graph = network(name, sparsity);
  const sized = rebatch(graph, batch);
  const feeds = sampleInputs(sized);
  const dense = await createSession(sized, { threads: 1 });
  const sparse = await createSparseSession(graph, { batch, plan: "sparse" });
  const chosen = await createSparseSession(graph, { batch });
  // A turn takes some milliseconds: the clock of the processor is coarse.
  const runs = Math.max(1, Math.ceil(0.01 / (await timed(() => sparse.run(feeds)))));
  const often = (session: typeof dense) => () =>
    timed(async () => {
      for (let i = 0; i < runs; i++) await session.run(feeds);
    });
  const [ofDense, ofSparse]: number[][] = [[], []];
  for (let turn = -4; turn < Number(options.turns); turn++) {
    const [a, b] = [await often(dense)(), await often(sparse)()];
    if (turn < 0) continue;
    ofDense.push(a / runs);
    ofSparse.push(b / runs);
  }
  await Promise.all([dense.release(), sparse.release(), chosen.release()]);
  return {
    network: name,
    sparsity,
    batch,
    macs: accountModel(graph).total.macs,
    milliseconds: { dense: 1e3 * median(ofDense), sparse: 1e3 * median(ofSparse) },
    ratio: Number(median(ofDense.map((t, i) => t / ofSparse[i])).toFixed(2)),
    sparseLayers: chosen.plan.layers.filter((l) => l.run === "sparse").length,
    layers: chosen.plan.layers.length,
  };
}

const names = options.networks?.split(",") ?? Object.keys(NETWORKS);
const rows: Awaited<ReturnType<typeof measure>>[] = [];
for (const name of names)
  for (const batch of BATCHES)
    for (const sparsity of SPARSITIES) {
      const row = await measure(name, sparsity, batch);
      rows.push(row);
      console.log(
        `${name}, batch ${batch}, ${100 * sparsity} % zeros: ${row.milliseconds.dense.toFixed(2)} ms dense, ${row.milliseconds.sparse.toFixed(2)} ms in the kernels, ${row.ratio}×; the session chooses them for ${row.sparseLayers} of ${row.layers} layers`,
      );
    }
if (!options.networks)
  await writeResults("sparse-networks", "npm run bench -- sparse-networks", {
    relaxedSimd: hasRelaxedSimd(),
    turns: Number(options.turns),
    rows,
  });
