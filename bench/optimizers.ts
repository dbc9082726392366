/**
 * How much processor time does one step of an optimiser take beside PyTorch's, on the same numbers, one thread each?
 * Prints a table and writes docs/results/optimizers.json. The two processes take turns, so that a busy machine is busy
 * for both; the weights after the first steps must agree.
 *
 * usage: optimizers.js [--sizes 10000,100000,1000000,10000000] [--rounds 15] [--python /usr/bin/python3]
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeResults } from "../protocols/support/results.ts";
import { flatArrays } from "../src/engine/parameters.ts";
import { createOptimizer, type OptimizerSpec } from "../src/nn/optimizers.ts";
import { median } from "../src/runs/latency.ts";

const { values: options } = parseArgs({
  options: {
    sizes: { type: "string", default: "10000,100000,1000000,10000000" },
    rounds: { type: "string", default: "15" },
    python: { type: "string", default: "/usr/bin/python3" },
  },
});

const CASES: Record<string, OptimizerSpec> = {
  "SGD with momentum": { kind: "sgd", momentum: 0.9 },
  Adam: { kind: "adam" },
};
const LEARNING_RATE = 0.01;
const WEIGHT_DECAY = 5e-4;
/** Seconds of work in a turn. */
const TURN = 0.1;

const peer = spawn(
  options.python,
  [fileURLToPath(new URL("../../bench/peers/torch-optimizers.py", import.meta.url))],
  {
    env: { ...process.env, OMP_NUM_THREADS: "1" },
    stdio: ["pipe", "pipe", "inherit"],
  },
);
const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
const answer = async () => {
  const { value, done } = await lines.next();
  if (done) throw new Error(`${options.python} ended early; it needs PyTorch (Debian: python3-torch)`);
  return JSON.parse(value);
};
const { version } = (await answer()) as { version: string };

interface Turn {
  /** Processor time of one step: on a busy machine it says more than the clock. */
  seconds: number;
  /** The first weights after it. */
  weights: number[];
}

async function torchTurn(kind: string, n: number, steps: number, foreach: boolean): Promise<Turn> {
  peer.stdin.write(`${JSON.stringify({ kind, n, steps, foreach })}\n`);
  return answer();
}

function prepare(spec: OptimizerSpec, n: number): (steps: number) => Turn {
  const parameters = flatArrays([["w", [n]]]);
  const gradients = flatArrays([["w", [n]]], parameters);
  for (let i = 0; i < n; i++) {
    parameters.values[i] = Math.sin(i);
    gradients.values[i] = Math.cos(i) / 8;
  }
  const optimizer = createOptimizer(spec, { parameters, gradients, weightDecay: () => WEIGHT_DECAY });
  return (steps) => {
    const start = process.cpuUsage();
    for (let i = 0; i < steps; i++) optimizer.step(LEARNING_RATE);
    const { user, system } = process.cpuUsage(start);
    return {
      seconds: (user + system) / 1e6 / steps,
      weights: [...parameters.values.subarray(0, 5)],
    };
  };
}

async function measure(name: string, n: number) {
  const spec = CASES[name];
  const ours = prepare(spec, n);
  const [first, theirs] = [ours(3), await torchTurn(spec.kind, n, 3, false)];
  first.weights.forEach((w, i) => {
    if (!(Math.abs(w - theirs.weights[i]) < 1e-5))
      throw new Error(`${name}: weight ${i} is ${w} here and ${theirs.weights[i]} in PyTorch`);
  });
  const stepsFor = (seconds: number) => Math.max(2, Math.min(5000, Math.round(TURN / seconds)));
  // PyTorch at its best: whichever of its two loops is the faster one here.
  const single = (await torchTurn(spec.kind, n, stepsFor(theirs.seconds), false)).seconds;
  await torchTurn(spec.kind, n, 3, true);
  const foreach = (await torchTurn(spec.kind, n, stepsFor(theirs.seconds), true)).seconds < single;
  await torchTurn(spec.kind, n, 3, foreach);
  const steps = stepsFor(ours(stepsFor(first.seconds)).seconds);
  const times: { filigree: number[]; torch: number[] } = { filigree: [], torch: [] };
  for (let round = 0; round < Number(options.rounds); round++) {
    times.filigree.push(ours(steps).seconds);
    times.torch.push((await torchTurn(spec.kind, n, stepsFor(single), foreach)).seconds);
  }
  const microseconds = (list: number[]) => Number((median([...list]) * 1e6).toFixed(2));
  return {
    optimizer: name,
    parameters: n,
    microseconds: { filigree: microseconds(times.filigree), torch: microseconds(times.torch) },
    ratio: Number(median(times.filigree.map((t, i) => t / times.torch[i])).toFixed(3)),
    foreach,
  };
}

const rows: Awaited<ReturnType<typeof measure>>[] = [];
for (const name of Object.keys(CASES))
  for (const n of options.sizes.split(",").map(Number)) {
    const row = await measure(name, n);
    rows.push(row);
    const { filigree, torch } = row.microseconds;
    console.log(
      `${name.padEnd(18)} ${String(n).padStart(9)}  ${filigree} µs, PyTorch ${torch} µs: ${row.ratio}`,
    );
  }
peer.stdin.end();
await writeResults("optimizers", "npm run bench -- optimizers", { torch: version, threads: 1, rows });
