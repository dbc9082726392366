/**
 * A training step of one linear layer, Adam included: Sparse Spectral Training beside full rank, and both beside PyTorch,
 * whose spectral layer is bench/peers/torch-spectral.py. Prints medians of the ratios of turns (below 1: the first is
 * faster) and writes docs/results/spectral-step.json. The losses of the first three steps must agree with PyTorch's. What is
 * timed are the steps between two switches.
 *
 * usage: spectral-step.js [--layers 768x768,3072x768] [--threads 1,2] [--rounds 9] [--python /usr/bin/python3]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeResults } from "../protocols/support/results.ts";
import { writeNpz } from "../src/data/npz.ts";
import { createGraph, input, output, parameter } from "../src/engine/graph.ts";
import { add, mul, reduceSum, sub } from "../src/engine/operators/index.ts";
import type { Tensor } from "../src/engine/tensor.ts";
import { tensor, zeros } from "../src/engine/tensor.ts";
import { layers } from "../src/nn/layers.ts";
import type { OptimizerTarget } from "../src/nn/optimizers.ts";
import { createOptimizer } from "../src/nn/optimizers.ts";
import type { Sparsifier, TrainingMoment } from "../src/nn/sparsifier.ts";
import type { Objective } from "../src/nn/training-step.ts";
import { createTrainingStep, trainingGraph } from "../src/nn/training-step.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { createSpectralTraining } from "../src/sparsity/spectral/spectral-training.ts";
import type { Peer } from "./peers/peer.ts";
import { startPeer } from "./peers/peer.ts";
import { pythonWithTorch, torchEnvironment } from "./peers/torch.ts";

/** Outputs × inputs: projections and both halves of a feed-forward block of OPT-125M, and one of the small language model. */
const LAYERS: Record<string, { rank: number; rows: number }> = {
  "768x768": { rank: 64, rows: 512 },
  "3072x768": { rank: 64, rows: 512 },
  "768x3072": { rank: 64, rows: 512 },
  "96x96": { rank: 8, rows: 512 },
};

const { values: options } = parseArgs({
  options: {
    layers: { type: "string", default: Object.keys(LAYERS).join() },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "9" },
    python: { type: "string", default: "/usr/bin/python3" },
    serve: { type: "string" },
  },
});
const SEED = 7;
const RATE = 1e-3;
const ADAM = { kind: "adam" } as const;
const LOSS_TOLERANCE = 1e-4;
/** Milliseconds of work in a turn. */
const TURN = 400;

type Method = "sst" | "full";

const objective: Objective = ([y], graph) => {
  const error = sub(y, input(graph, "target", y.shape));
  return { loss: mul(reduceSum(mul(error, error)), 0.5 / y.shape[0]) };
};

/** The layer behind a trained shift of its input, so that it has to give its input's derivative too. */
function createLayer(name: string) {
  const [outputs, inputs] = name.split("x").map(Number);
  const { rows, rank } = LAYERS[name];
  const rng = random(SEED);
  const normal = (shape: readonly number[]) => {
    const t = zeros(shape);
    for (let i = 0; i < t.data.length; i++) t.data[i] = rng.normal();
    return t;
  };
  const model = createGraph("layer");
  const x = add(input(model, "x", [rows, inputs]), parameter(model, "lift", zeros([inputs])));
  output(layers(model, SEED).linear("map", x, outputs));
  const sst = () =>
    createSpectralTraining(model, {
      rank,
      layers: ["map.weight"],
      warmup: 0,
      // No switch in the time that is measured.
      iterationSteps: 1e9,
      seed: SEED,
    });
  const feeds = { x: normal([rows, inputs]), target: normal([rows, outputs]) };
  return { model, sst, feeds, outputs, inputs, rank, rows };
}

async function serve(name: string, method: Method): Promise<void> {
  const { model, sst, feeds } = createLayer(name);
  const sparsifier: Sparsifier | undefined = method === "sst" ? sst() : undefined;
  const step = await createTrainingStep(model, objective, { threads: Number(options.threads), sparsifier });
  const target: OptimizerTarget = { ...step, rate: sparsifier && ((p) => sparsifier.rate!(p)) };
  const own = () => createOptimizer(ADAM, target);
  const optimizer = sparsifier?.createOptimizer?.(target, own, ADAM) ?? own();
  const moment: TrainingMoment = { ...step, optimizer, learningRate: RATE, epoch: 0, epochs: 1, step: 0 };
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = { times: [] as number[], losses: [] as number[] };
    for (let i = 0; i < Number(line); i++) {
      const start = performance.now();
      const { loss } = await step.run({ ...feeds, ...sparsifier?.feeds?.(moment) });
      optimizer.step(RATE);
      sparsifier?.afterStep?.(moment);
      answer.times.push(performance.now() - start);
      answer.losses.push(loss);
    }
    console.log(JSON.stringify(answer));
  }
  await step.release();
}

/** What both sides begin with, the vectors that train first. */
function writeStart(name: string, path: string): void {
  const { model, sst, feeds, rank } = createLayer(name);
  const tensors = new Map<string, Tensor>(Object.entries(feeds));
  for (const part of ["lift", "weight", "bias"])
    tensors.set(part, model.parameters.get(part === "lift" ? part : `map.${part}`)!);
  const sparsifier = sst();
  const { graph } = trainingGraph(model, objective, sparsifier);
  const resting = sparsifier.feeds!({ epoch: 0, epochs: 1, step: 0 });
  const stored = (part: string) => (graph.parameters.get(part) ?? resting[part]) as Tensor<"float32">;
  for (const part of ["left", "right", "values"]) {
    const both = [stored(`map.weight/${part}`), stored(`map.weight/resting.${part}`)];
    const data = Float32Array.from(both.flatMap((t) => [...t.data]));
    const count = both[0].shape[0] + both[1].shape[0];
    tensors.set(part, tensor("float32", [count, ...both[0].shape.slice(1)], data));
  }
  tensors.set("rank", tensor("int32", [], [rank]));
  writeFileSync(path, writeNpz(tensors, { compress: false }));
}

async function measure(name: string, threads: number, python: string | undefined) {
  const folder = mkdtempSync(join(tmpdir(), "filigree-bench-"));
  const peers: Record<string, Peer> = {};
  try {
    const self = fileURLToPath(import.meta.url);
    for (const method of ["sst", "full"])
      peers[method] = await startPeer(process.execPath, [
        self,
        ...["--serve", method, "--layers", name, "--threads", `${threads}`],
      ]);
    if (python) {
      const start = join(folder, "start.npz");
      writeStart(name, start);
      const script = fileURLToPath(new URL("../../bench/peers/torch-spectral.py", import.meta.url));
      for (const method of ["sst", "full"])
        peers[`torch-${method}`] = await startPeer(
          python,
          [script, method, `${threads}`, start],
          torchEnvironment(threads),
        );
    }
    const steps: Record<string, number> = {};
    const losses: Record<string, number[]> = {};
    const times: Record<string, number[]> = {};
    for (const [who, peer] of Object.entries(peers)) {
      losses[who] = (await peer.take(3)).losses;
      steps[who] = Math.max(2, Math.round(TURN / median((await peer.take(5)).times.slice(1))));
      times[who] = [];
    }
    for (const method of python ? ["sst", "full"] : [])
      losses[method].forEach((loss, i) => {
        const expected = losses[`torch-${method}`][i];
        if (!(Math.abs(loss / expected - 1) <= LOSS_TOLERANCE))
          throw new Error(`${name}, ${method}: loss ${i + 1} is ${loss} here and ${expected} in PyTorch`);
      });
    for (let round = 0; round < Number(options.rounds); round++)
      for (const [who, peer] of Object.entries(peers)) {
        // The other side's threads spin for a while after its turn; the first step warms the caches.
        await sleep(30);
        times[who].push(median((await peer.take(steps[who] + 1)).times.slice(1)));
      }
    const ratio = (a: string, b: string) =>
      Number(median(times[a].map((t, i) => t / times[b][i])).toFixed(3));
    const { outputs, inputs, rank, rows } = createLayer(name);
    const k = Math.min(outputs, inputs);
    return {
      outputs,
      inputs,
      rank,
      rows,
      threads,
      milliseconds: Object.fromEntries(
        Object.entries(times).map(([who, list]) => [who, Number(median(list).toFixed(3))]),
      ),
      /** Multiplications of a spectral step, as a multiple of those of full rank (sst.md 3.9). */
      work: Number((((4 * k + 2 * rank) * (outputs + inputs)) / (6 * outputs * inputs)).toFixed(3)),
      toFull: ratio("sst", "full"),
      ...(python && {
        toTorch: ratio("sst", "torch-sst"),
        fullToTorch: ratio("full", "torch-full"),
        torch: peers["torch-sst"].hello,
      }),
    };
  } finally {
    for (const peer of Object.values(peers)) peer.end();
    rmSync(folder, { recursive: true });
  }
}

async function main(): Promise<void> {
  const python = pythonWithTorch(options.python);
  const rows: Awaited<ReturnType<typeof measure>>[] = [];
  for (const name of options.layers.split(",")) {
    if (!Object.hasOwn(LAYERS, name)) throw new Error(`--layers takes ${Object.keys(LAYERS).join(", ")}`);
    for (const threads of options.threads.split(",").map(Number)) {
      const row = await measure(name, threads, python);
      rows.push(row);
      const times = Object.entries(row.milliseconds).map(([who, t]) => `${who} ${t} ms`);
      const ratios = `SST to full rank ${row.toFull} (work ${row.work})${python ? `, to PyTorch ${row.toTorch}; full rank to PyTorch ${row.fullToTorch}` : ""}`;
      console.log(`${name}, rank ${row.rank}, ${threads} threads: ${times.join(", ")}; ${ratios}`);
    }
  }
  if (!python || options.layers.split(",").length < Object.keys(LAYERS).length) return;
  const load = Number(loadavg()[2].toFixed(2));
  await writeResults("spectral-step", "npm run bench -- spectral-step", { load, seed: SEED, rows });
}

if (options.serve) await serve(options.layers, options.serve as Method);
else await main();
