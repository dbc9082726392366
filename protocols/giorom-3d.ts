/**
 * GIOROM at a real size: sand in 3D, 32,000 particles of which 3,000 are carried, trained on our own simulations on two threads,
 * rolled out over all 300 frames and decoded to all particles.
 *
 * usage: giorom-3d.js [--try]
 *
 * About 30 processor minutes of simulation, then 60 of training (some 40 minutes on two idle cores), then 5 of rollouts.
 * Simulations are kept as a whole, training goes on from its last checkpoint. --try runs everything at its smallest and
 * writes nothing.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rollout, rolloutError } from "../src/giorom/rollout.ts";
import { constantVelocity, type Rule, staticRule } from "../src/giorom/rules.ts";
import { rolloutFile } from "../src/runs/giorom/rollout.node.ts";
import { trajectoryFiles } from "../src/runs/giorom/sparse-set.node.ts";
import { type TrainSimulatorResult, trainSimulator } from "../src/runs/giorom/train.node.ts";
import { openParticles } from "../src/runs/particle-file.node.ts";
import { simulateParticleSet } from "../src/runs/particle-set.node.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";

/** Of one test trajectory: mean squared errors over all frames after those given. */
interface Row {
  /** Of the particles that the network carries, and of all. */
  carried: number;
  all: number;
  constantVelocity: number;
  static: number;
  millisecondsPerStep: number;
  millisecondsPerDecode: number;
}

const { values } = parseArgs({ options: { try: { type: "boolean", default: false } } });
const SIZE = values.try
  ? { points: 1_000, carried: 100, frames: 15, train: 4, test: 1, steps: 2 }
  : { points: 32_000, carried: 3_000, frames: 306, train: 10, test: 3, steps: 5_000 };
const THREADS = 2;
const SEEN = 6;
const FOLDER = join(ROOT, "runs", "protocols", values.try ? "giorom-3d-try" : "giorom-3d");
const SET = join(FOLDER, "set");
const MODEL = join(FOLDER, "sand.onnx");

await mkdir(FOLDER, { recursive: true });
if (!existsSync(join(SET, "metadata.json")))
  await simulateParticleSet(SET, {
    materials: ["sand"],
    scene: "column",
    dim: 3,
    bodies: 1,
    points: SIZE.points,
    frames: SIZE.frames,
    trajectories: { train: SIZE.train, test: SIZE.test },
    seed: 0,
    threads: THREADS,
    onFrame: (trajectory, frame) => {
      if (frame === SIZE.frames - 1) console.log(`simulated: trajectory ${trajectory}`);
    },
  });

const { parameters, minutes } = await trained();
const files = await trajectoryFiles(SET, "test");
const rows: Row[] = [];
for (const scene of files) {
  const output = join(FOLDER, "rollout.npz");
  const { sparseError, error, millisecondsPerStep, millisecondsPerDecode } = await rolloutFile({
    model: MODEL,
    scene,
    output,
    points: SIZE.carried,
    decoder: "mls",
    affine: true,
    rebaseEvery: 20,
    start: 0,
    threads: THREADS,
    warn: console.log,
  });
  const row: Row = {
    carried: sparseError!,
    all: error!,
    constantVelocity: await ruleError(scene, constantVelocity),
    static: await ruleError(scene, staticRule),
    millisecondsPerStep,
    millisecondsPerDecode,
  };
  rows.push(row);
  console.log(JSON.stringify(row));
}
if (!values.try) await report();

/** Training, timed over all calls that it took. */
async function trained(): Promise<{ parameters: number; minutes: number }> {
  const kept = join(FOLDER, "trained.json");
  if (existsSync(kept)) return JSON.parse(await readFile(kept, "utf8"));
  const before = existsSync(`${MODEL}.checkpoints`);
  const clock = join(FOLDER, "minutes.json");
  const spent: number = before && existsSync(clock) ? JSON.parse(await readFile(clock, "utf8")) : 0;
  const started = performance.now();
  const minutesNow = () => spent + (performance.now() - started) / 6e4;
  const result: TrainSimulatorResult = await trainSimulator({
    folder: SET,
    output: MODEL,
    network: "lite",
    hidden: 32,
    ratio: SIZE.carried / SIZE.points,
    samples: 2,
    steps: SIZE.steps,
    batch: 1,
    seed: 0,
    threads: THREADS,
    resume: before,
    warn: console.log,
    onEpoch: ({ step, loss, metrics }) => {
      console.log(
        `step ${step}: loss ${loss.toFixed(3)}, validation ${metrics.rolloutError.toExponential(2)}`,
      );
    },
    onStep: ({ step }) => {
      if (step % 20 === 0) void writeFile(clock, JSON.stringify(minutesNow()));
    },
  });
  const found = { parameters: result.parameters, minutes: minutesNow() };
  await writeFile(kept, JSON.stringify(found));
  return found;
}

/** Of all particles over all frames after those given. */
async function ruleError(scene: string, rule: Rule): Promise<number> {
  const file = await openParticles(scene);
  const seed = [await file.frame(SEEN - 2), await file.frame(SEEN - 1)];
  const predicted = await rollout(rule, seed, { frames: file.frames - SEEN, dim: 3 });
  let sum = 0;
  for (let t = SEEN; t < file.frames; t++)
    sum += rolloutError([predicted[t - SEEN]], [await file.frame(t)], 3);
  await file.close();
  return sum / (file.frames - SEEN);
}

async function report(): Promise<void> {
  const mean = (key: keyof Row) => summarize(rows.map((r) => r[key])).mean;
  const claims = {
    "trained within one hour on two cores": minutes <= 60,
    "all particles over 300 frames: at most a fifth of constant velocity's error":
      mean("all") <= mean("constantVelocity") / 5,
    "and less than that of standing still": mean("all") < mean("static"),
  };
  await writeResults("giorom-3d", "npm run protocol -- giorom-3d", {
    ...SIZE,
    parameters,
    minutes,
    rows,
    claims,
  });
  reportMarks(Object.entries(claims).map(([claim, passed]) => ({ claim, passed })));
}
