import type { Tensor } from "../engine/tensor.ts";
import { zeros } from "../engine/tensor.ts";
import type { TrainingSource } from "../nn/trainer.ts";
import { Problem } from "../problem.ts";
import { deriveSeed, type Random, random } from "../random.ts";
import { randomImage } from "./box-images.ts";
import type { StepperConfig } from "./config.ts";
import type { Positions } from "./features.ts";
import { accelerationTarget, addNoise, walkNoise, windowFeatures } from "./features.ts";
import { byMotion } from "./kinematic.ts";
import type { PlaneMap } from "./neighborhood.ts";
import { allocateFeeds, fillFeeds, fits, neighborhoods, sizeFor } from "./neighborhood.ts";
import type { Setting } from "./setting.ts";
import type { StepperSize } from "./stepper.ts";

/** The particles of a sample through all frames. */
export interface SparseTrajectory {
  /** Of every frame, [points, dim]. */
  frames: readonly Positions[];
  /** GNS's number of each particle's material; kinematic ones are seen by the others and learn nothing. */
  types?: ArrayLike<number>;
}

export interface WindowOptions {
  /** Windows in a step. Default 2. */
  batch?: number;
  stepsPerEpoch: number;
  seed: number;
  /** Every window as a random image of the box, for sets whose forces all act along the second axis or at walls. */
  mirror?: boolean;
  /** Feeds `cleanTargets` too: the accelerations without noise. */
  cleanTargets?: boolean;
}

export interface WindowSource extends TrainingSource {
  size: StepperSize;
}

/** Batches that are drawn to find shapes into which hardly one does not fit. */
const PROBES = 400;
const MARGIN = 1.05;

/**
 * Random windows of random trajectories with fresh noise, and the accelerations to predict. What a step holds depends on seed
 * and step alone. Graphs of particles differ in size while a compiled step has one shape: it is chosen from many draws, and
 * the rare batch that does not fit is drawn again.
 */
export function windowSource(
  trajectories: readonly SparseTrajectory[],
  config: StepperConfig,
  setting: Setting,
  { batch = 2, stepsPerEpoch, seed, mirror = false, cleanTargets = false }: WindowOptions,
  plane?: PlaneMap,
): WindowSource {
  const { dim, history } = config;
  const { of, grid } = neighborhoods(config, setting, plane);
  const starts = trajectories.map(({ frames }) => Math.max(0, frames.length - history - 1));
  const total = starts.reduce((a, b) => a + b, 0);
  if (total === 0)
    throw new Problem(
      `no trajectory has ${history + 2} frames, which one window of ${history} past velocities and its target need`,
    );
  const motions = trajectories.map(({ frames, types }) => byMotion(types, (frames[0]?.length ?? 0) / dim));
  const draw = (rng: Random) => {
    let at = rng.integer(total);
    const which = starts.findIndex((count) => {
      if (at < count) return true;
      at -= count;
      return false;
    });
    const { frames, types } = trajectories[which];
    const image = mirror ? randomImage(setting.bounds, rng) : (positions: Positions) => positions;
    const window = frames.slice(at, at + history + 1).map(image);
    const noise = walkNoise(window, setting.noise, rng);
    for (const frame of noise)
      for (const i of motions[which].kinematic) frame.fill(0, i * dim, (i + 1) * dim);
    const noisy = addNoise(window, noise);
    return {
      window,
      noisy,
      lastNoise: noise[history],
      next: image(frames[at + history + 1]),
      types,
      free: motions[which].free,
      hood: of(noisy[history]),
    };
  };
  const drawBatch = (rng: Random) => Array.from({ length: batch }, () => draw(rng));
  const hoods = (drawn: ReturnType<typeof drawBatch>) => drawn.map(({ hood }) => hood);

  const probe = random(deriveSeed(seed, "window sizes"));
  const size = { windows: batch, points: 0, edges: 0, degree: 0, pairs: 0, perNode: 0, perPoint: 0 };
  for (let i = 0; i < Math.min(PROBES, Math.ceil(4 * total)); i++) {
    const need = sizeFor(hoods(drawBatch(probe)), config);
    for (const key of Object.keys(need) as (keyof StepperSize)[])
      if (key !== "windows") size[key] = Math.max(size[key], Math.ceil(MARGIN * need[key]));
  }

  const feeds: Record<string, Tensor> = {
    ...allocateFeeds(config, size, true),
    targets: zeros([size.points, dim]),
    lossWeights: zeros([size.points, 1]),
    ...(cleanTargets && { cleanTargets: zeros([size.points, dim]) }),
  };
  const real = (name: string) => feeds[name].data as Float32Array;
  const fill = (drawn: ReturnType<typeof drawBatch>) => {
    fillFeeds(feeds, hoods(drawn), config, setting, grid);
    const weight = 1 / (drawn.reduce((sum, { free }) => sum + free.length, 0) * dim);
    const lossWeights = real("lossWeights").fill(0);
    let row = 0;
    for (const { window, noisy, lastNoise, next, types, free } of drawn) {
      windowFeatures(noisy, setting, real("features"), row);
      accelerationTarget(noisy, lastNoise, next, setting, real("targets"), row);
      if (cleanTargets)
        accelerationTarget(window, new Float64Array(next.length), next, setting, real("cleanTargets"), row);
      if (feeds.types) (feeds.types.data as Int32Array).set(types ?? [], row);
      for (const i of free) lossWeights[row + i] = weight;
      row += next.length / dim;
    }
    real("features").fill(0, row * dim * (history + 2));
  };

  return {
    size,
    stepsPerEpoch,
    *feeds(epoch, from) {
      for (let step = from; step < stepsPerEpoch; step++) {
        const rng = random(deriveSeed(seed, "windows", epoch, step));
        let drawn = drawBatch(rng);
        while (!fits(sizeFor(hoods(drawn), config), size)) drawn = drawBatch(rng);
        fill(drawn);
        if (feeds.seed) (feeds.seed.data as Int32Array)[0] = epoch * stepsPerEpoch + step;
        yield feeds;
      }
    },
  };
}
