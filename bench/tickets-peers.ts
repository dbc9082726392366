/**
 * Steps per second of the grokking networks, full batch with the exact loss, beside PyTorch: in eager mode, and compiled
 * where a PyTorch 2 is given. Prints medians of the ratios of turns (above 1: this library is faster) and writes
 * docs/results/tickets-peers.json. The losses of the first three steps must agree.
 *
 * usage: tickets-peers.js [--rounds 9] [--threads 1] [--python /usr/bin/python3] [--compile <a python with PyTorch 2>]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeResults } from "../protocols/support/results.ts";
import { writeNpz } from "../src/data/npz.ts";
import { rebatch } from "../src/engine/replay.ts";
import type { Tensor } from "../src/engine/tensor.ts";
import { tensor } from "../src/engine/tensor.ts";
import { createOptimizer } from "../src/nn/optimizers.ts";
import { createTrainingStep } from "../src/nn/training-step.ts";
import { median } from "../src/runs/latency.ts";
import type { ExperimentSettings } from "../src/sparsity/tickets/settings.ts";
import { buildModel, createLesson, FULL } from "../src/sparsity/tickets/settings.ts";
import { createTask, splitTask } from "../src/sparsity/tickets/tasks.ts";
import { startPeer } from "./peers/peer.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    threads: { type: "string", default: "1" },
    python: { type: "string", default: "/usr/bin/python3" },
    compile: { type: "string" },
    serve: { type: "string" },
  },
});
const threads = Number(options.threads);
const LOSS_TOLERANCE = 1e-4;
/** Milliseconds of work in a turn. */
const TURN = 400;

/** What PyTorch is asked to do beside each network: as published, and with the same savings. */
const NETWORKS: Record<string, { settings: ExperimentSettings; torch: readonly string[] }> = {
  mlp: { settings: FULL, torch: ["mlp", "mlp-ordered"] },
  transformer: {
    settings: { ...FULL, model: "transformer", width: 128, hidden: 128 },
    torch: ["transformer", "transformer-last"],
  },
};

async function serve(name: string): Promise<void> {
  const { settings } = NETWORKS[name];
  const model = buildModel(settings, 0);
  const { train, objective } = createLesson(settings, 0, model);
  const step = await createTrainingStep(rebatch(model, train.labels.shape[0]), objective, { threads });
  const optimizer = createOptimizer(
    { kind: "adamw", betas: [0.9, 0.98] },
    { ...step, weightDecay: () => settings.weightDecay },
  );
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = { times: [] as number[], losses: [] as number[] };
    for (let i = 0; i < Number(line); i++) {
      const start = performance.now();
      const { loss } = await step.run(train);
      optimizer.step(settings.learningRate);
      answer.times.push(performance.now() - start);
      answer.losses.push(loss);
    }
    console.log(JSON.stringify(answer));
  }
  await step.release();
}

function writeStart(settings: ExperimentSettings, path: string): void {
  const task = createTask("modadd", settings.p);
  const { train } = splitTask(task, settings.fraction, 0);
  const tensors = new Map<string, Tensor>(buildModel(settings, 0).parameters);
  const pairs = Int32Array.from([...train].flatMap((i) => [task.pairs[2 * i], task.pairs[2 * i + 1]]));
  tensors.set("feed/pairs", tensor("int32", [train.length, 2], pairs));
  const labels = Int32Array.from(train, (i) => task.labels[i]);
  tensors.set("feed/labels", tensor("int32", [train.length], labels));
  writeFileSync(path, writeNpz(tensors, { compress: false }));
}

async function measure(name: string, torchCase: string, python: string, compiled: boolean, weights: string) {
  const script = fileURLToPath(new URL("../../bench/peers/torch-tickets.py", import.meta.url));
  const env = { OMP_NUM_THREADS: `${threads}`, OPENBLAS_NUM_THREADS: `${threads}`, GOMP_SPINCOUNT: "10000" };
  const own = await startPeer(process.execPath, [
    fileURLToPath(import.meta.url),
    "--serve",
    name,
    "--threads",
    `${threads}`,
  ]);
  const torch = await startPeer(
    python,
    [script, torchCase, `${threads}`, weights, compiled ? "1" : "0"],
    env,
  );
  try {
    const [ours, theirs] = [await own.take(3), await torch.take(3)];
    ours.losses.forEach((loss, i) => {
      if (!(Math.abs(loss / theirs.losses[i] - 1) <= LOSS_TOLERANCE))
        throw new Error(
          `${torchCase}: loss of step ${i + 1} is ${loss} here, ${theirs.losses[i]} in PyTorch`,
        );
    });
    const sides = [own, torch];
    const steps: number[] = [];
    for (const side of sides)
      steps.push(Math.max(2, Math.round(TURN / median((await side.take(5)).times.slice(1)))));
    const times: number[][] = [[], []];
    for (let round = 0; round < Number(options.rounds); round++)
      for (const [i, side] of sides.entries())
        times[i].push(median((await side.take(steps[i] + 1)).times.slice(1)));
    const perSecond = (list: number[]) => Number((1000 / median(list)).toFixed(1));
    return {
      network: name,
      torch: `${compiled ? "compiled" : "eager"}, ${torchCase === name ? "as published" : "with the same savings"}`,
      version: torch.hello.version,
      threads,
      stepsPerSecond: perSecond(times[0]),
      torchStepsPerSecond: perSecond(times[1]),
      timesFaster: Number(median(times[1].map((t, i) => t / times[0][i])).toFixed(2)),
    };
  } finally {
    own.end();
    torch.end();
  }
}

function hasTorch(python: string, compile: boolean): boolean {
  const test = `import torch, numpy${compile ? "; torch.compile" : ""}`;
  return spawnSync(python, ["-c", test], { stdio: "ignore" }).status === 0;
}

async function main(): Promise<void> {
  const sides = [{ python: options.python, compiled: false }];
  if (options.compile) sides.push({ python: options.compile, compiled: true });
  else
    console.error("torch.compile is left out: it needs PyTorch 2; name a python that has it by --compile.");
  const folder = mkdtempSync(join(tmpdir(), "filigree-bench-"));
  const rows: Awaited<ReturnType<typeof measure>>[] = [];
  try {
    for (const { python, compiled } of sides) {
      if (!hasTorch(python, compiled)) {
        console.error(`${python} has no ${compiled ? "PyTorch 2" : "PyTorch"} with NumPy: left out.`);
        continue;
      }
      for (const [name, { settings, torch }] of Object.entries(NETWORKS)) {
        const weights = join(folder, `${name}.npz`);
        writeStart(settings, weights);
        for (const torchCase of torch) {
          rows.push(await measure(name, torchCase, python, compiled, weights));
          console.log(rows[rows.length - 1]);
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  await writeResults("tickets-peers", "npm run bench -- tickets-peers", { rows });
}

if (options.serve) await serve(options.serve);
else await main();
