/**
 * giorom.md P3: networks trained on five materials, rolled out on unseen blocks, faster ones, and other shapes. Each network
 * is trained and measured in processes of its own, whose results are kept, so that the protocol goes on where it was stopped.
 *
 * usage: giorom-rollouts.js [--seeds 1] [--scenes sand,gel,…] [--parallel 1] [--try]
 *
 * About 20 processor minutes a scene and seed, half of them for GNS on all particles. Results are written when all scenes are
 * there. --try runs everything at its smallest: two steps of training, one trajectory; nothing is written.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rollout, rolloutError, squaredError } from "../src/giorom/rollout.ts";
import type { Predictor } from "../src/giorom/rules.ts";
import { ballistic, constantVelocity, staticRule } from "../src/giorom/rules.ts";
import { pick } from "../src/giorom/sample.ts";
import { openSimulator } from "../src/giorom/simulator.ts";
import { SMALLEST, stepper } from "../src/giorom/stepper.ts";
import { Problem } from "../src/problem.ts";
import {
  carried,
  farthest,
  MODELS,
  type ModelName,
  modelOf,
  STEPS,
  sparse,
  type Trained,
  type TrainingJob,
  trainModel,
} from "./support/giorom/models.ts";
import { BOUNDS, GRAVITY, SCENES, type SceneName, simulate, type Trial } from "./support/giorom/scenes.ts";
import { finishJob, keptResult, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";

const SHUFFLED_STEPS = 600;
const HORIZONS = [10, 25, 50, 100] as const;
const SEEN = 6;
/** Stands for the error of a rollout that came to numbers that are none; no other comes near it. */
const DIVERGED = 1e6;
const FOLDER = join(ROOT, "runs", "protocols", "giorom");

/** Sets that no network was trained on: other seeds, and seeds that differ in more than the seed. */
const SETS: Record<string, (index: number) => Trial> = {
  "unseen blocks": (index) => ({ split: "test", index }),
  "25 % faster than any in training": (index) => ({ split: "test", index: 20 + index, shear: 1.25 }),
  "unseen shape: disc": (index) => ({ split: "test", index: 40 + index, shape: "ball" }),
  "unseen shape: L": (index) => ({ split: "test", index: 60 + index, shape: "l" }),
  "falling for 40 frames": (index) => ({ split: "test", index: 80 + index, lift: 0.25 }),
};

const RULES: Record<string, Predictor> = {
  "constant velocity": constantVelocity,
  ballistic: ballistic(GRAVITY, BOUNDS),
  static: staticRule,
};

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string", default: "1" },
    scenes: { type: "string", default: Object.keys(SCENES).join(",") },
    parallel: { type: "string", default: "1" },
    try: { type: "boolean", default: false },
    job: { type: "string" },
  },
});
const SEEDS = Array.from({ length: Number(options.seeds) }, (_, seed) => seed);
const TESTS = options.try ? 1 : 6;

/** To roll out a network, or the rules, on the sets of a scene. */
interface MeasuringJob {
  tests: number;
  measured: TrainingJob | SceneName;
}

interface Measured {
  /** Mean over particles and frames of the squared error of one step's position, all true before. */
  oneStep: number;
  /** Rollout error over the first 10, 25, 50 and 100 predicted frames, mean of the trajectories. */
  errors: number[];
}

/** By set, then by rule; a network stands alone. */
type Measurements = Record<string, Record<string, Measured>>;

export interface Row extends Measured {
  scene: string;
  set: string;
  model: string;
  /** Of several seeds: sample standard deviations of the errors over them. */
  deviations?: number[];
}

const sceneNames = options.scenes.split(",") as SceneName[];
const all = Object.keys(SCENES).every((scene) => sceneNames.includes(scene as SceneName));
const CONTROL = "control: shuffled targets";
const nameOf = ({ model, shuffled }: TrainingJob) => (shuffled ? CONTROL : model);

const JOBS: TrainingJob[] = SEEDS.flatMap((seed) => {
  const job = (scene: SceneName, model: ModelName, steps: number): TrainingJob => ({
    scene,
    model,
    steps: options.try ? 2 : steps,
    seed,
    ...(options.try && { tiny: true }),
  });
  return [
    ...sceneNames.flatMap((scene) => Object.keys(MODELS).map((m) => job(scene, m as ModelName, STEPS))),
    ...(sceneNames.includes("sand") ? [{ ...job("sand", "lite", SHUFFLED_STEPS), shuffled: true }] : []),
  ];
});

const own = ownJob<TrainingJob | MeasuringJob>();
if (own) finishJob("measured" in own ? await measure(own) : await trainModel(own));
else await protocol();

async function measure({ measured, tests }: MeasuringJob): Promise<Measurements> {
  if (typeof measured === "string") return onSets(measured, RULES, tests, (frames) => farthest(frames));
  const { model } = (await keptResult<Trained>(measured, FOLDER))!;
  const simulator = await openSimulator(model, { threads: 1 });
  const predict: Predictor = (window) => simulator.step(window);
  const found = await onSets(measured.scene, { [nameOf(measured)]: predict }, tests, (frames) =>
    carried(measured.model, frames),
  );
  await simulator.release();
  return found;
}

async function onSets(
  scene: SceneName,
  predictors: Record<string, Predictor>,
  tests: number,
  choose: (frames: readonly Float32Array[]) => Uint32Array,
): Promise<Measurements> {
  const found: Measurements = {};
  for (const [set, trial] of Object.entries(SETS)) {
    found[set] = {};
    const recordings = Array.from({ length: tests }, (_, index) => simulate(scene, trial(index)));
    for (const [name, predict] of Object.entries(predictors)) {
      const runs: Measured[] = [];
      for (const frames of recordings) runs.push(await onRecording(predict, frames, choose(frames)));
      found[set][name] = meanOf(runs);
    }
  }
  return found;
}

/** Errors of the farthest points, whichever particles are carried, so that all are compared on the same. */
async function onRecording(
  predict: Predictor,
  recording: readonly Float32Array[],
  chosen: Uint32Array,
): Promise<Measured> {
  const { frames } = sparse(recording, chosen);
  const places = farthest(recording).map((i) => chosen.indexOf(i));
  const judged = (positions: Float32Array | Float64Array) => pick(positions, 2, places);
  const truth = frames.slice(SEEN).map(judged);
  const starts = Array.from({ length: HORIZONS[2] / 5 }, (_, i) => 5 * i);
  let oneStep = 0;
  for (const t of starts) {
    const next = judged(await predict(frames.slice(t, t + SEEN)));
    oneStep += squaredError(next, truth[t], 2) / starts.length;
  }
  try {
    const predicted = await rollout(predict, frames.slice(0, SEEN), { frames: HORIZONS[3], dim: 2 });
    const found = predicted.map(judged);
    return { oneStep, errors: HORIZONS.map((h) => rolloutError(found, truth, 2, h)) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { oneStep, errors: HORIZONS.map(() => DIVERGED) };
  }
}

function meanOf(runs: readonly Measured[]): Measured {
  return {
    oneStep: summarize(runs.map((r) => r.oneStep)).mean,
    errors: HORIZONS.map((_, i) => summarize(runs.map((r) => r.errors[i])).mean),
  };
}

async function protocol(): Promise<void> {
  const parallel = Number(options.parallel);
  const trained = await runJobs<TrainingJob, Trained>(JOBS, parallel, FOLDER, (job, { processorMinutes }) =>
    console.log(
      `trained: ${job.scene}, ${nameOf(job)}, seed ${job.seed}: ${processorMinutes.toFixed(1)} processor minutes`,
    ),
  );
  const measuring: MeasuringJob[] = [...JOBS, ...sceneNames].map((measured) => ({ tests: TESTS, measured }));
  const measurements = await runJobs<MeasuringJob, Measurements>(measuring, parallel, FOLDER, () => {});

  const rows: Row[] = [];
  for (const scene of sceneNames)
    for (const set of Object.keys(SETS))
      for (const model of [...Object.keys(MODELS), CONTROL, ...Object.keys(RULES)]) {
        const runs = measuring.flatMap(({ measured }, i) => {
          const found = measurements[i][set][model];
          return found && (typeof measured === "string" ? measured : measured.scene) === scene ? [found] : [];
        });
        if (runs.length === 0) continue;
        const deviations = HORIZONS.map((_, i) => summarize(runs.map((r) => r.errors[i])).sd);
        const row: Row = { scene, set, model, ...meanOf(runs), ...(runs.length > 1 && { deviations }) };
        rows.push(row);
        const figures = [row.oneStep, ...row.errors].map((e) => e.toExponential(2));
        console.log([scene, set, model, ...figures].join("  "));
      }
  const networks = (Object.keys(MODELS) as ModelName[]).map((model) => ({
    model,
    parameters: [...stepper(modelOf(model).config, SMALLEST).parameters.values()].reduce(
      (sum, { data }) => sum + data.length,
      0,
    ),
    /** Of one training, mean of the scenes and seeds. */
    processorMinutes: summarize(
      trained.flatMap(({ processorMinutes }, i) => (nameOf(JOBS[i]) === model ? [processorMinutes] : [])),
    ).mean,
  }));
  if (options.try || !all) return;
  const claims = claimsOf(rows);
  await writeResults("giorom-rollouts", `npm run protocol -- giorom-rollouts --seeds ${SEEDS.length}`, {
    seeds: SEEDS.length,
    steps: STEPS,
    shuffledSteps: SHUFFLED_STEPS,
    horizons: HORIZONS,
    trajectories: TESTS,
    networks,
    rows,
    claims,
  });
  reportMarks(Object.entries(claims).map(([claim, passed]) => ({ claim, passed })));
}

function claimsOf(rows: readonly Row[]): Record<string, boolean> {
  const error = (scene: string, model: string, horizon: 25 | 50, set = "unseen blocks") =>
    rows.find((r) => r.scene === scene && r.model === model && r.set === set)!.errors[
      HORIZONS.indexOf(horizon)
    ];
  const falls = (model: ModelName) =>
    sceneNames.map((scene) => error(scene, model, 25, "falling for 40 frames"));
  const trivial = (scene: string, horizon: 25 | 50, set?: string) =>
    Math.min(...Object.keys(RULES).map((rule) => error(scene, rule, horizon, set)));
  return {
    "sand, 50 frames: at most half the error of messages alone":
      error("sand", "lite", 50) <= error("sand", "messages only", 50) / 2,
    "sand, 50 frames: at most a third of the best rule's error":
      error("sand", "lite", 50) <= trivial("sand", 50) / 3,
    "gel, 25 frames: at most a third of the best rule's error":
      error("gel", "lite", 25) <= trivial("gel", 25) / 3,
    ...Object.fromEntries(
      (["water", "plasticine", "goop"] as const).map((scene) => [
        `${scene}, 50 frames: better than every rule`,
        error(scene, "lite", 50) < trivial(scene, 50),
      ]),
    ),
    ...Object.fromEntries(
      sceneNames.map((scene) => [
        `${scene}, 50 frames: better than every rule on blocks, faster ones and other shapes`,
        Object.keys(SETS)
          .slice(0, 4)
          .every((set) => error(scene, "lite", 50, set) < trivial(scene, 50, set)),
      ]),
    ),
    "with gravity first 25 frames of free fall are exact to 1e-9": falls("lite, gravity first").every(
      (e) => e < 1e-9,
    ),
    "control: without it they are not": falls("lite").every((e) => e > 1e-9),
    "control: shuffled targets are no better than constant velocity":
      error("sand", CONTROL, 50) > 0.9 * error("sand", "constant velocity", 50),
  };
}
