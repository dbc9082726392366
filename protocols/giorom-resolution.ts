/**
 * giorom.md P2 and P5: samples and their graphs; one network, trained at a fifth of the particles, on other shares of them. Uses
 * the networks of giorom-rollouts where that has run.
 *
 * usage: giorom-resolution.js [--parallel 1] [--try]
 *
 * --try runs everything at its smallest: two steps of training, one trajectory; nothing is written.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rollout, rolloutError } from "../src/giorom/rollout.ts";
import { pick } from "../src/giorom/sample.ts";
import { openSimulator, type SimulatorOptions } from "../src/giorom/simulator.ts";
import { nearestNeighbors } from "../src/physics/nearest-neighbors.ts";
import { countComponents, radiusNeighbors } from "../src/physics/radius-graph.ts";
import { farthestPoints, randomPoints } from "../src/physics/sampling.ts";
import { fillShape } from "../src/physics/shapes.ts";
import {
  asSums,
  farthest,
  type ModelName,
  RATIO,
  STEPS,
  sparse,
  type Trained,
  type TrainingJob,
  trainModel,
} from "./support/giorom/models.ts";
import { simulate } from "./support/giorom/scenes.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, writeResults } from "./support/results.ts";

const HORIZON = 50;
const SEEN = 6;
/** The pass mark: largest error ÷ smallest. */
const SPREAD = 1.5;
const RATIOS = [0.1, 0.14, 0.2, 0.3, 0.5];

const { values: options } = parseArgs({
  options: {
    parallel: { type: "string", default: "1" },
    try: { type: "boolean", default: false },
    job: { type: "string" },
  },
});
const TESTS = options.try ? 1 : 6;

const own = ownJob<TrainingJob>();
if (own) finishJob(await trainModel(own));
else await protocol();

function sampling() {
  const block = Float64Array.from(fillShape("box", 2, [26 / 64, 26 / 64], 1 / 64), (x) => x + 0.5);
  const count = block.length / 2;
  const reach = (points: Float64Array) =>
    Math.sqrt(nearestNeighbors(points, block, 2, 1).squaredDistances.reduce((a, b) => Math.max(a, b), 0));
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  return [32, 64, 128].map((n) => {
    const spacing = Math.sqrt(count / n) / 64;
    const samples = {
      farthest: Array.from({ length: 10 }, (_, s) => pick(block, 2, farthestPoints(block, 2, n, 60 * s))),
      random: Array.from({ length: 10 }, (_, s) => pick(block, 2, randomPoints(count, n, s))),
    };
    const parts = (points: Float64Array, r: number) =>
      countComponents(radiusNeighbors(points, 2, r * spacing));
    return {
      n,
      /** Largest distance of any point to the sample, mean of ten samples. */
      reach: { farthest: mean(samples.farthest.map(reach)), random: mean(samples.random.map(reach)) },
      /** Most parts of the graph at 2.2 and at 1 spacings of the sample. */
      parts: {
        farthest: Math.max(...samples.farthest.map((p) => parts(p, 2.2))),
        tooNear: Math.max(...samples.farthest.map((p) => parts(p, 1))),
      },
    };
  });
}

async function protocol(): Promise<void> {
  const samples = sampling();
  for (const s of samples) console.log(JSON.stringify(s));
  const job = (model: ModelName): TrainingJob => ({
    scene: "sand",
    model,
    steps: options.try ? 2 : STEPS,
    seed: 0,
    ...(options.try && { tiny: true }),
  });
  const [means, sums] = await runJobs<TrainingJob, Trained>(
    [job("lite"), job("GNS")],
    Number(options.parallel),
    join(ROOT, "runs", "protocols", "giorom"),
    () => {},
  );
  const recordings = Array.from({ length: TESTS }, (_, index) => simulate("sand", { split: "test", index }));
  const measure = async (
    { model }: Trained,
    choose: (frames: Float32Array[]) => Uint32Array,
    adjust?: SimulatorOptions["adjust"],
  ) => {
    const simulator = await openSimulator(model, { threads: 1, adjust });
    let sum = 0;
    for (const recording of recordings) {
      const { frames } = sparse(recording, choose(recording));
      const predicted = await rollout((window) => simulator.step(window), frames.slice(0, SEEN), {
        frames: HORIZON,
        dim: 2,
      });
      sum += rolloutError(predicted, frames.slice(SEEN), 2, HORIZON);
    }
    await simulator.release();
    return sum / TESTS;
  };
  const rows: { sample: string; ratio: number; lite: number; gns: number; control: number }[] = [];
  const compare = async (sample: string, ratio: number, choose: (frames: Float32Array[]) => Uint32Array) => {
    const row = {
      sample,
      ratio,
      lite: await measure(means, choose),
      control: await measure(means, choose, asSums(ratio)),
      gns: await measure(sums, choose),
    };
    rows.push(row);
    const [lite, control, gns] = [row.lite, row.control, row.gns].map((error) => error.toExponential(2));
    console.log(`${sample} ${ratio}: ${lite}, as sums ${control}, GNS ${gns}`);
  };
  for (const ratio of RATIOS) await compare("farthest points", ratio, (frames) => farthest(frames, ratio));
  for (const start of [7, 31])
    await compare(`farthest points from point ${start}`, RATIO, (frames) => farthest(frames, RATIO, start));
  await compare("random", RATIO, (frames) =>
    randomPoints(frames[0].length / 2, Math.round((RATIO * frames[0].length) / 2), 3),
  );
  const spreadOf = (key: "lite" | "control" | "gns") =>
    Math.max(...rows.map((r) => r[key])) / Math.min(...rows.map((r) => r[key]));
  const spread = { lite: spreadOf("lite"), control: spreadOf("control"), gns: spreadOf("gns") };
  const claims = {
    "farthest points leave smaller holes than random ones": samples.every(
      (s) => s.reach.farthest < s.reach.random,
    ),
    "2.2 spacings keep a sample in one piece, 1 does not": samples.every(
      (s) => s.parts.farthest === 1 && s.parts.tooNear > 1,
    ),
    "lite's errors differ by at most 1.5 times over samples and shares": spread.lite <= SPREAD,
    "control: with means that grow as sums do they differ by more": spread.control > SPREAD,
    "lite is better than GNS on every one": rows.every((r) => r.lite < r.gns),
  };
  if (options.try) return;
  await writeResults("giorom-resolution", "npm run protocol -- giorom-resolution", {
    horizon: HORIZON,
    trajectories: TESTS,
    samples,
    rows,
    spread,
    claims,
  });
  reportMarks(Object.entries(claims).map(([claim, passed]) => ({ claim, passed })));
}
