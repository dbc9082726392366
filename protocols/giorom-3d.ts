/**
 * GIOROM at a real size: sand in 3D, 32,000 particles of which 3,000 are carried, trained on our own simulations on two threads,
 * rolled out over all 300 frames and decoded to all particles. Networks: `lite`, and `images` after NeuralMPM.
 *
 * usage: giorom-3d.js [--networks images,lite] [--try]
 *
 * About 30 processor minutes of simulation, then 20 for `images` and 80 for `lite`. Simulations and trained networks are kept,
 * training goes on from its last checkpoint; results are written for all networks that are there. --try runs everything at its
 * smallest and writes nothing.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rollout, rolloutError } from "../src/giorom/rollout.ts";
import { constantVelocity, type Rule, staticRule } from "../src/giorom/rules.ts";
import { rolloutFile } from "../src/runs/giorom/rollout.node.ts";
import { trajectoryFiles } from "../src/runs/giorom/sparse-set.node.ts";
import { trainSimulator } from "../src/runs/giorom/train.node.ts";
import { openParticles } from "../src/runs/particle-file.node.ts";
import { simulateParticleSet } from "../src/runs/particle-set.node.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";

/** Of one network and test trajectory: mean squared errors over all frames after those given. */
interface Row {
  network: Network;
  /** Of the particles that the network carries, and of all. */
  carried: number;
  all: number;
  constantVelocity: number;
  static: number;
  millisecondsPerStep: number;
  millisecondsPerDecode: number;
}

type Network = "images" | "lite";
const NETWORKS: readonly Network[] = ["images", "lite"];

interface Trained {
  network: Network;
  parameters: number;
  /** Of wall time, over all calls that it took. */
  minutes: number;
}

const { values } = parseArgs({
  options: { networks: { type: "string" }, try: { type: "boolean", default: false } },
});
const SIZE = values.try
  ? { points: 1_000, carried: 100, frames: 15, train: 4, test: 1, steps: 2 }
  : { points: 32_000, carried: 3_000, frames: 306, train: 10, test: 3, steps: 5_000 };
const THREADS = 2;
/** About the deviation of the accelerations. */
const NOISE = 4.5e-5;
const SEEN = 6;
const FOLDER = join(ROOT, "runs", "protocols", values.try ? "giorom-3d-try" : "giorom-3d");
const SET = join(FOLDER, "set");
const modelOf = (network: Network) => join(FOLDER, `${network}.onnx`);
const trainedOf = (network: Network) => join(FOLDER, `${network}.json`);

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

for (const network of NETWORKS.filter((n) => values.networks?.split(",").includes(n) ?? true))
  if (!existsSync(trainedOf(network))) await train(network);
const trained: Trained[] = await Promise.all(
  NETWORKS.filter((n) => existsSync(trainedOf(n))).map(async (n) =>
    JSON.parse(await readFile(trainedOf(n), "utf8")),
  ),
);
const rows: Row[] = [];
for (const scene of await trajectoryFiles(SET, "test")) {
  const rules = {
    constantVelocity: await ruleError(scene, constantVelocity),
    static: await ruleError(scene, staticRule),
  };
  for (const { network } of trained) {
    const { sparseError, error, millisecondsPerStep, millisecondsPerDecode } = await rolloutFile({
      model: modelOf(network),
      scene,
      output: join(FOLDER, "rollout.npz"),
      points: SIZE.carried,
      decoder: "mls",
      affine: true,
      rebaseEvery: 20,
      start: 0,
      threads: THREADS,
      warn: console.log,
    });
    const row = {
      network,
      carried: sparseError!,
      all: error!,
      ...rules,
      millisecondsPerStep,
      millisecondsPerDecode,
    };
    rows.push(row);
    console.log(JSON.stringify(row));
  }
}
if (!values.try) await report();

async function train(network: Network): Promise<void> {
  const model = modelOf(network);
  const resume = existsSync(`${model}.checkpoints`);
  const clock = `${model}.minutes`;
  const spent: number = resume && existsSync(clock) ? JSON.parse(await readFile(clock, "utf8")) : 0;
  const started = performance.now();
  const minutesNow = () => spent + (performance.now() - started) / 6e4;
  const { parameters } = await trainSimulator({
    folder: SET,
    output: model,
    network,
    hidden: 32,
    ratio: SIZE.carried / SIZE.points,
    samples: 2,
    steps: SIZE.steps,
    batch: 1,
    mirror: true,
    noise: NOISE,
    seed: 0,
    threads: THREADS,
    resume,
    warn: console.log,
    onEpoch: ({ step, loss, metrics }) => {
      console.log(
        `${network}, step ${step}: loss ${loss.toFixed(3)}, validation ${metrics.rolloutError.toExponential(2)}, ${minutesNow().toFixed(1)} minutes`,
      );
    },
    onStep: ({ step }) => {
      if (step % 20 === 0) void writeFile(clock, JSON.stringify(minutesNow()));
    },
  });
  const result: Trained = { network, parameters, minutes: minutesNow() };
  await writeFile(trainedOf(network), JSON.stringify(result));
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
  const marks = trained.flatMap(({ network, minutes }) => {
    const mean = (key: "all" | "constantVelocity" | "static") =>
      summarize(rows.filter((r) => r.network === network).map((r) => r[key])).mean;
    return [
      { claim: `${network}: trained within one hour on two cores`, passed: minutes <= 60 },
      {
        claim: `${network}, all particles over 300 frames: at most a fifth of constant velocity's error`,
        passed: mean("all") <= mean("constantVelocity") / 5,
      },
      { claim: `${network}: and less than that of standing still`, passed: mean("all") < mean("static") },
    ];
  });
  const claims = Object.fromEntries(marks.map(({ claim, passed }) => [claim, passed]));
  await writeResults("giorom-3d", "npm run protocol -- giorom-3d", {
    ...SIZE,
    noise: NOISE,
    trained,
    rows,
    claims,
  });
  reportMarks(marks);
}
