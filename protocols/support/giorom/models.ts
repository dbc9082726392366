import { gnsConfig } from "../../../src/giorom/baselines.ts";
import { liteConfig, type StepperConfig } from "../../../src/giorom/config.ts";
import { pick } from "../../../src/giorom/sample.ts";
import type { Setting } from "../../../src/giorom/setting.ts";
import { stepper } from "../../../src/giorom/stepper.ts";
import { exportStepper } from "../../../src/giorom/stepper-file.ts";
import { accelerationLoss, trainStepper } from "../../../src/giorom/train-stepper.ts";
import { type SparseTrajectory, windowSource } from "../../../src/giorom/windows.ts";
import { train } from "../../../src/nn/trainer.ts";
import { farthestPoints } from "../../../src/physics/sampling.ts";
import { poolStatistics } from "../../../src/physics/statistics.ts";
import { deriveSeed, random } from "../../../src/random.ts";
import { BOUNDS, SCENES, type SceneName, simulate } from "./scenes.ts";

export const TRAINING = 24;
export const VALIDATION = 3;
export const RATIO = 0.2;

export const STEPS = 2000;

/** Of the sparse graph, the same for every sample; of the latent grid's nodes. */
export const RADIUS = 0.078;
const LATENT_RADIUS = 0.1;

export const MODELS = {
  lite: liteConfig({ dim: 2 }),
  "messages only": liteConfig({ dim: 2, grid: 0 }),
  "grid only": liteConfig({ dim: 2, layers: 0 }),
  GNS: gnsConfig({ dim: 2, hidden: 32, layers: 5 }),
} satisfies Record<string, StepperConfig>;

export type ModelName = keyof typeof MODELS;

export interface TrainingJob {
  scene: SceneName;
  model: ModelName;
  steps: number;
  seed: number;
  /** The control: every particle is to learn the acceleration of a random other one. */
  shuffled?: boolean;
}

/** A sample of the particles of a trajectory. */
export function sparse(frames: readonly Float32Array[], indices: ArrayLike<number>): SparseTrajectory {
  return { frames: frames.map((frame) => pick(frame, 2, indices)) };
}

export const farthest = (frames: readonly Float32Array[], ratio = RATIO, start = 0): Uint32Array =>
  farthestPoints(frames[0], 2, Math.round((ratio * frames[0].length) / 2), start);

/** The .onnx file of a network trained on a scene. */
export async function trainModel({ scene, model, steps, seed, shuffled }: TrainingJob): Promise<Uint8Array> {
  const recordings = Array.from({ length: TRAINING + VALIDATION }, (_, index) =>
    simulate(scene, { split: "train", index }),
  );
  const pool = poolStatistics(2);
  for (const frames of recordings.slice(0, TRAINING)) {
    pool.nextTrajectory();
    for (const frame of frames) pool.frame(frame);
  }
  const setting: Setting = {
    bounds: BOUNDS,
    radius: RADIUS,
    latentRadius: LATENT_RADIUS,
    statistics: pool.result(),
    noise: SCENES[scene].noise,
    frameInterval: 5e-3,
  };
  const config = MODELS[model];
  const training = recordings
    .slice(0, TRAINING)
    .flatMap((frames) => [0, 17].map((start) => sparse(frames, farthest(frames, RATIO, start))));
  const options = { config, setting, steps, seed, threads: 1 };
  if (shuffled) return trainShuffled(training, options);
  const trained = await trainStepper({
    ...options,
    training,
    validation: recordings.slice(TRAINING).map((frames) => sparse(frames, farthest(frames))),
    onEpoch: ({ step, loss, metrics }) =>
      console.log(
        `${scene} ${model} step ${step}: loss ${loss.toFixed(3)}, ${metrics.rolloutError.toExponential(2)}`,
      ),
  });
  return trained.model;
}

interface ShuffledOptions {
  config: StepperConfig;
  setting: Setting;
  steps: number;
  seed: number;
  threads: number;
}

async function trainShuffled(
  training: readonly SparseTrajectory[],
  { config, setting, steps, seed, threads }: ShuffledOptions,
): Promise<Uint8Array> {
  const source = windowSource(training, config, setting, { stepsPerEpoch: steps, seed });
  const model = stepper(config, source.size, { seed, trains: true });
  const shuffledSource = {
    stepsPerEpoch: steps,
    *feeds(epoch: number, from: number) {
      let step = from;
      for (const feeds of source.feeds(epoch, from)) {
        const targets = feeds.targets.data as Float32Array;
        const weights = feeds.lossWeights.data as Float32Array;
        const rows = weights.indexOf(0);
        const order = random(deriveSeed(seed, "shuffle", step++)).permutation(
          rows < 0 ? weights.length : rows,
        );
        targets.set(
          Float32Array.from({ length: 2 * order.length }, (_, i) => targets[2 * order[i >> 1] + (i & 1)]),
        );
        yield feeds;
      }
    },
  };
  await train(model, accelerationLoss, shuffledSource, {
    epochs: 1,
    optimizer: { kind: "adam" },
    learningRate: 2e-3,
    schedule: { kind: "cosine", floor: 5e-3 },
    threads,
  });
  return exportStepper(model, { config, setting });
}
