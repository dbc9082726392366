import type { Tensor } from "../../../src/engine/tensor.ts";
import { fnoConfig, gatConfig, gnsConfig, neuralMpmConfig } from "../../../src/giorom/baselines.ts";
import { liteConfig, type StepperConfig, transformerConfig } from "../../../src/giorom/config.ts";
import { ruleOf } from "../../../src/giorom/features.ts";
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
import { BOUNDS, GRAVITY, SCENES, type SceneName, simulate } from "./scenes.ts";

export const TRAINING = 24;
export const VALIDATION = 3;
export const RATIO = 0.2;

export const STEPS = 2000;

/** Of the sparse graph, the same for every sample; of the latent grid's nodes. */
export const RADIUS = 0.078;
const LATENT_RADIUS = 0.1;

interface Model {
  config: StepperConfig;
  /** It carries all particles, not a sample. */
  dense?: boolean;
  gravityFirst?: boolean;
}

const GNS = gnsConfig({ dim: 2, hidden: 32 });

export const MODELS = {
  lite: { config: liteConfig({ dim: 2 }) },
  "lite, gravity first": { config: liteConfig({ dim: 2 }), gravityFirst: true },
  "lite, linear attention": { config: transformerConfig({ dim: 2 }) },
  "messages only": { config: liteConfig({ dim: 2, grid: 0 }) },
  "grid only (GINO)": { config: liteConfig({ dim: 2, layers: 0 }) },
  "Fourier operator on particles": { config: fnoConfig({ dim: 2 }) },
  "graph attention": { config: gatConfig({ dim: 2, hidden: 32 }) },
  "NeuralMPM-like": { config: neuralMpmConfig({ dim: 2 }) },
  GNS: { config: GNS },
  "GNS on all particles": { config: GNS, dense: true },
} satisfies Record<string, Model>;

export type ModelName = keyof typeof MODELS;

export const modelOf = (name: ModelName): Model => MODELS[name];

export interface TrainingJob {
  scene: SceneName;
  model: ModelName;
  steps: number;
  seed: number;
  /** The control: every particle is to learn the acceleration of a random other one. */
  shuffled?: boolean;
  /** To learn from one trajectory alone and to choose by none: nothing but a try. */
  tiny?: boolean;
}

/** A sample of the particles of a trajectory. */
export function sparse(frames: readonly Float32Array[], indices: ArrayLike<number>): SparseTrajectory {
  return { frames: frames.map((frame) => pick(frame, 2, indices)) };
}

export const farthest = (frames: readonly Float32Array[], ratio = RATIO, start = 0): Uint32Array =>
  farthestPoints(frames[0], 2, Math.round((ratio * frames[0].length) / 2), start);

/** The particles of a recording that a network carries. */
export function carried(model: ModelName, frames: readonly Float32Array[], start = 0): Uint32Array {
  if (modelOf(model).dense) return Uint32Array.from({ length: frames[0].length / 2 }, (_, i) => i);
  return farthest(frames, RATIO, start);
}

/**
 * The control of samples of another density than in training: scaled like this, every mean grows with the share of particles
 * as sums would (GIOROM spec 6, P5).
 */
export const asSums = (share: number) => (feeds: Readonly<Record<string, Tensor>>) => {
  for (const name of ["messageWeights", "encodeWeights", "decodeWeights"]) {
    const weights = feeds[name].data as Float32Array;
    weights.forEach((w, i) => {
      weights[i] = (w * share) / RATIO;
    });
  }
};

export interface Trained {
  /** The .onnx file. */
  model: Uint8Array;
  processorMinutes: number;
}

/** A network trained on a scene. */
export async function trainModel(job: TrainingJob): Promise<Trained> {
  const model = await trainedModel(job);
  const { user, system } = process.cpuUsage();
  return { model, processorMinutes: (user + system) / 6e7 };
}

async function trainedModel({ scene, model, steps, seed, shuffled, tiny }: TrainingJob): Promise<Uint8Array> {
  const { config, dense, gravityFirst } = modelOf(model);
  const recordings = Array.from({ length: tiny ? 1 : TRAINING + VALIDATION }, (_, index) =>
    simulate(scene, { split: "train", index }),
  );
  const gravity = gravityFirst ? GRAVITY : undefined;
  const pool = poolStatistics(2, gravity && ruleOf({ gravity, bounds: BOUNDS }));
  for (const frames of recordings.slice(0, TRAINING)) {
    pool.nextTrajectory();
    for (const frame of frames) pool.frame(frame);
  }
  const setting: Setting = {
    bounds: BOUNDS,
    radius: dense ? RADIUS * Math.sqrt(RATIO) : RADIUS,
    latentRadius: LATENT_RADIUS,
    statistics: pool.result(),
    noise: SCENES[scene].noise,
    frameInterval: 5e-3,
    ...(gravity && { gravity }),
  };
  const training = recordings
    .slice(0, TRAINING)
    .flatMap((frames) => [0, 17].map((start) => sparse(frames, carried(model, frames, start))));
  const options = { config, setting, steps, seed, threads: 1 };
  if (shuffled) return trainShuffled(training, options);
  const trained = await trainStepper({
    ...options,
    training,
    validation: recordings.slice(TRAINING).map((frames) => sparse(frames, carried(model, frames))),
    onEpoch: ({ step, loss, metrics }) =>
      console.log(
        `${scene} ${model} step ${step}: loss ${loss.toFixed(3)}, validation ${metrics.rolloutError?.toExponential(2) ?? "none"}`,
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
