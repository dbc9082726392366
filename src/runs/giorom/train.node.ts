import { fnoConfig, gatConfig, gnsConfig, neuralMpmConfig } from "../../giorom/baselines.ts";
import type { StepperConfig } from "../../giorom/config.ts";
import { CONFIGS, liteConfig, transformerConfig } from "../../giorom/config.ts";
import { type DecoderNetwork, trainDecoderNetwork } from "../../giorom/decoders/decoder-file.ts";
import type { Positions } from "../../giorom/features.ts";
import { byMotion } from "../../giorom/kinematic.ts";
import { coveringRadius, defaultLatentRadius, gridOf } from "../../giorom/latent-grid.ts";
import { rolloutError, rolloutTrajectory } from "../../giorom/rollout.ts";
import type { Predictor } from "../../giorom/rules.ts";
import { constantVelocity, staticRule } from "../../giorom/rules.ts";
import { coverageOf, pick } from "../../giorom/sample.ts";
import type { Setting } from "../../giorom/setting.ts";
import { openSimulator } from "../../giorom/simulator.ts";
import { SMALLEST, stepper } from "../../giorom/stepper.ts";
import { trainStepper } from "../../giorom/train-stepper.ts";
import type { SparseTrajectory } from "../../giorom/windows.ts";
import type { EpochRecord, StepProgress } from "../../nn/trainer.ts";
import type { Dim } from "../../physics/particles.ts";
import { farthestPoints } from "../../physics/sampling.ts";
import { Problem } from "../../problem.ts";
import { saveCheckpoint } from "../checkpoint.node.ts";
import { readBytes, writeWhole } from "../files.node.ts";
import { openParticles } from "../particle-file.node.ts";
import type { Settings } from "./checkpoints.node.ts";
import { openCheckpoints } from "./checkpoints.node.ts";
import {
  loadSparseSet,
  readSamples,
  readSetMetadata,
  sampleSize,
  trajectoryFiles,
} from "./sparse-set.node.ts";

export const NETWORKS = {
  lite: "messages and a Fourier operator on a grid",
  transformer: "lite with linear attention in place of the Fourier operator",
  messages: "lite without the grid",
  grid: "lite without messages, as GINO is",
  waves: "a Fourier operator on the particles themselves",
  attention: "graph attention with three heads",
  images: "particles on a grid by splines, and an image network there, after NeuralMPM",
  gns: "sums of messages, as GNS has them",
  "v1-2d": "the paper's first version: a Fourier operator on a grid of accelerations",
  "v1-3d-large": "the same in 3D, on a plane that particles are laid on by a learned map",
  "T-2d": "the paper's later version: linear attention on a grid",
  "T-3d": "the same in 3D",
} as const;

export type NetworkName = keyof typeof NETWORKS;

export interface TrainSimulatorOptions {
  folder: string;
  /** Where the .onnx file goes; checkpoints lie beside it. */
  output: string;
  network: NetworkName;
  /** Width; default 32. Published networks have their own. */
  hidden?: number;
  /** Rounds of messages; default 2, 10 in gns. Published networks have their own. */
  layers?: number;
  ratio: number;
  samples: number;
  steps: number;
  batch: number;
  /** Windows as random images of the box: for sets whose forces all act along the second axis or at walls. */
  mirror?: boolean;
  /** Default 0 (`train-stepper.ts`). */
  positionLossWeight?: number;
  seed: number;
  /** Default a quarter of the accelerations' deviation. */
  noise?: number;
  radius?: number;
  /** Down the second axis in box lengths/s²; applied first, and the network learns the rest. */
  gravity?: number;
  resume?: boolean;
  threads?: number;
  signal?: AbortSignal;
  warn(text: string): void;
  onStep?(progress: StepProgress): void;
  onEpoch?(record: EpochRecord): void;
}

export interface TrainSimulatorResult {
  finished: boolean;
  parameters: number;
  setting: Setting;
  /** Rollout errors on the test trajectories over so many frames: the network's, constant velocity's and standing still's. */
  test: { frames: number; network: number; constantVelocity: number; static: number }[];
}

export async function trainSimulator(options: TrainSimulatorOptions): Promise<TrainSimulatorResult> {
  const { folder, output, ratio, samples, seed, steps, batch, threads, signal, warn } = options;
  const set = await loadSparseSet(folder, { ratio, samples, seed, gravity: options.gravity });
  const { metadata, training, validation, statistics, gravity } = set;
  const dim = metadata.dim;
  const config = networkOf(options, dim, set.types > 1);
  const grid = gridOf(config, metadata.bounds);
  const noise =
    options.noise ??
    (0.25 * statistics.accelerationStd.reduce((a, b) => a + b, 0)) / statistics.accelerationStd.length;
  const setting: Setting = {
    bounds: metadata.bounds,
    radius: options.radius ?? set.radius,
    latentRadius: grid ? defaultLatentRadius(grid) : 0,
    statistics,
    noise,
    frameInterval: metadata.dt,
    ...(gravity && { gravity }),
  };
  if (config.layers[0] + config.layers[1] > 0) warnOfGaps(training, setting, dim, warn);
  if (grid && setting.latentRadius < coveringRadius(grid))
    warn(`the latent grid leaves gaps: its radius ${setting.latentRadius} is below ${coveringRadius(grid)}`);

  const checkpoints = `${output}.checkpoints`;
  const resume = await openCheckpoints(checkpoints, settingsOf(options), options);
  const result = await trainStepper({
    config,
    setting,
    training,
    validation,
    steps,
    batch,
    mirror: options.mirror,
    positionLossWeight: options.positionLossWeight,
    seed,
    threads,
    signal,
    resume,
    onStep: options.onStep,
    onEpoch: options.onEpoch,
    onBest: (model) => writeWhole(output, model),
    save: async (snapshot) => {
      await saveCheckpoint(checkpoints, snapshot());
    },
  });
  if (validation.length === 0) await writeWhole(output, result.model);
  return {
    finished: result.finished,
    parameters: [...stepper(config, SMALLEST).parameters.values()].reduce((n, t) => n + t.data.length, 0),
    setting,
    test: result.finished ? await measureTest(folder, output, ratio, threads) : [],
  };
}

/** What has to be given again for a training to go on. */
function settingsOf(options: TrainSimulatorOptions): Settings {
  const { network, layers, ratio, samples, steps, batch, mirror, seed, noise, radius, gravity } = options;
  const { positionLossWeight } = options;
  const hidden = options.hidden ?? (Object.hasOwn(CONFIGS, network) ? undefined : HIDDEN);
  return {
    network,
    hidden,
    layers,
    ratio,
    samples,
    steps,
    batch,
    mirror,
    seed,
    noise,
    radius,
    gravity,
    positionLossWeight,
  };
}

const HIDDEN = 32;

/** The network of that name; a `Problem` where it is for other dimensions, or has no such setting. */
export function networkOf(
  { network, hidden, layers }: Pick<TrainSimulatorOptions, "network" | "hidden" | "layers">,
  dim: Dim,
  typed: boolean,
): StepperConfig {
  if (Object.hasOwn(CONFIGS, network)) {
    const published = CONFIGS[network as keyof typeof CONFIGS];
    if (published.dim !== dim)
      throw new Problem(`${network} is a network for ${published.dim}D, the set is in ${dim}D`);
    if (hidden !== undefined || layers !== undefined)
      throw new Problem(`${network} is as published: its width and layers are fixed; leave them out`);
    return published;
  }
  if (layers !== undefined && (network === "grid" || network === "waves" || network === "images"))
    throw new Problem(`${network} has no rounds of messages, so that layers are not for it; leave them out`);
  // GNS tells nine types apart.
  const size = { dim, hidden: hidden ?? HIDDEN, types: typed ? 9 : 0 };
  const rounds = { ...size, ...(layers !== undefined && { layers }) };
  switch (network as Exclude<NetworkName, keyof typeof CONFIGS>) {
    case "lite":
      return liteConfig(rounds);
    case "transformer":
      return transformerConfig(rounds);
    case "messages":
      return liteConfig({ ...rounds, grid: 0 });
    case "grid":
      return liteConfig({ ...size, layers: 0 });
    case "waves":
      return fnoConfig(size);
    case "attention":
      return gatConfig(rounds);
    case "images":
      return neuralMpmConfig(size);
    case "gns":
      return gnsConfig(rounds);
  }
}

function warnOfGaps(
  training: readonly SparseTrajectory[],
  { radius }: Setting,
  dim: Dim,
  warn: (text: string) => void,
): void {
  const worst = training
    .map(({ frames }) => coverageOf(frames[0], dim, radius))
    .reduce((a, b) => (b.connected < a.connected ? b : a));
  if (worst.connected < 1)
    warn(
      `radius ${radius.toPrecision(3)} leaves points alone: in the worst sample ${(100 * worst.connected).toFixed(0)} % have a neighbour, ${worst.components} parts; use a larger --radius or --ratio`,
    );
}

const HORIZONS = [10, 25, 50, 100];

/** Rolls out every test trajectory. */
async function measureTest(
  folder: string,
  model: string,
  ratio: number,
  threads?: number,
): Promise<TrainSimulatorResult["test"]> {
  const paths = await trajectoryFiles(folder, "test");
  if (paths.length === 0) return [];
  const simulator = await openSimulator(await readBytes(model), { threads });
  const { dim, history } = simulator.config;
  const sums = new Map<
    number,
    { network: number; constantVelocity: number; static: number; count: number }
  >();
  for (const path of paths) {
    const file = await openParticles(path);
    const points = file.points - file.tracers;
    const first = (await file.frame(0)).subarray(0, points * dim);
    const chosen = farthestPoints(first, dim, sampleSize(points, ratio, path));
    const [trajectory] = await readSamples(file, [chosen]);
    await file.close();
    const run = (predict: Predictor) =>
      rolloutTrajectory(predict, trajectory, { seen: history + 1, most: Math.max(...HORIZONS), dim });
    const runs = {
      network: await run((window) => simulator.step(window, trajectory.types)),
      constantVelocity: await run(constantVelocity),
      static: await run(staticRule),
    };
    for (const horizon of HORIZONS) {
      if (horizon > runs.static.truth.length) continue;
      const sum = sums.get(horizon) ?? { network: 0, constantVelocity: 0, static: 0, count: 0 };
      for (const name of ["network", "constantVelocity", "static"] as const)
        sum[name] += rolloutError(runs[name].predicted, runs[name].truth, dim, horizon);
      sum.count++;
      sums.set(horizon, sum);
    }
  }
  await simulator.release();
  return [...sums].map(([frames, { count, ...sum }]) => ({
    frames,
    network: sum.network / count,
    constantVelocity: sum.constantVelocity / count,
    static: sum.static / count,
  }));
}

/** Frames of a trajectory that a decoder is trained on. */
const DECODER_FRAMES = 40;

/** Throws a `Problem` where the decoder is not for the box of the set. */
export async function checkDecoder(folder: string, network: DecoderNetwork): Promise<void> {
  const { bounds } = await readSetMetadata(folder);
  if (network === "splat" && bounds.some(([low, high]) => low < 0 || high > 1))
    throw new Problem(
      `${folder}: splat decodes in the unit box, which the set's bounds pass; take another decoder`,
    );
}

/** Trains a decoder on the dense clouds of a set; gives the .onnx file, undefined where the signal stopped it. */
export async function trainDecoder(
  folder: string,
  network: DecoderNetwork,
  options: Pick<TrainSimulatorOptions, "ratio" | "seed" | "threads" | "signal" | "onStep">,
): Promise<Uint8Array | undefined> {
  const { dim } = await readSetMetadata(folder);
  const trajectories: Positions[][] = [];
  for (const path of await trajectoryFiles(folder, "train")) {
    const file = await openParticles(path);
    const stride = Math.max(1, Math.floor(file.frames / DECODER_FRAMES));
    const { free } = byMotion(file.particleTypes, file.points - file.tracers);
    const frames: Positions[] = [];
    for (let t = 0; t < file.frames; t += stride)
      frames.push(Float32Array.from(pick(await file.frame(t), dim, free)));
    trajectories.push(frames);
    await file.close();
  }
  const { ratio, seed, threads, signal, onStep } = options;
  const training = { dim, trajectories, ratio, seed, threads, signal, onStep };
  const bytes = await trainDecoderNetwork(network, training);
  return signal?.aborted ? undefined : bytes;
}
