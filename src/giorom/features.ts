import type { Random } from "../random.ts";
import { ballistic, constantVelocity, type Rule } from "./rules.ts";
import type { Setting } from "./setting.ts";
import { scaleOf } from "./setting.ts";

export type Positions = Float32Array | Float64Array;

/** Positions of the same particles in consecutive frames, each [points, dim]; the newest last. */
export type Window = readonly Positions[];

/**
 * What the network is told of every particle, [points, dim · (history + 2)]: past velocities, oldest first, normalised; then the
 * distances to the lower and the upper walls in units of the radius, between −1 and 1 (GIOROM spec 3.5).
 */
export function windowFeatures(window: Window, setting: Setting, out: Float32Array, row = 0): void {
  const { bounds, radius, statistics, noise } = setting;
  const dim = bounds.length;
  const newest = window[window.length - 1];
  let at = row * dim * (window.length + 1);
  const scale = statistics.velocityStd.map((std) => scaleOf(std, noise));
  for (let i = 0; i < newest.length; i += dim) {
    for (let t = 1; t < window.length; t++)
      for (let k = 0; k < dim; k++)
        out[at++] = (window[t][i + k] - window[t - 1][i + k] - statistics.velocityMean[k]) / scale[k];
    for (let k = 0; k < dim; k++) out[at++] = clipped((newest[i + k] - bounds[k][0]) / radius);
    for (let k = 0; k < dim; k++) out[at++] = clipped((bounds[k][1] - newest[i + k]) / radius);
  }
}

const clipped = (x: number) => Math.max(-1, Math.min(1, x));

/**
 * The random walk of training (GIOROM spec 3.8): independent increments of standard deviation σ/√C on each of the C velocities,
 * summed up, and summed again for the positions, the first of which stay as they are.
 */
export function walkNoise(window: Window, sigma: number, rng: Random): Float64Array[] {
  const steps = window.length - 1;
  const noise = window.map((frame) => new Float64Array(frame.length));
  const step = sigma / Math.sqrt(steps);
  for (let i = 0; i < window[0].length; i++) {
    let velocity = 0;
    for (let t = 1; t <= steps; t++) {
      velocity += step * rng.normal();
      noise[t][i] = noise[t - 1][i] + velocity;
    }
  }
  return noise;
}

export const addNoise = (window: Window, noise: Window): Float64Array[] =>
  window.map((frame, t) => Float64Array.from(frame, (x, i) => x + noise[t][i]));

/** What happens without the network: velocities stay as they are, or known gravity acts and walls stop. */
export const ruleOf = ({ gravity, bounds }: Pick<Setting, "gravity" | "bounds">): Rule =>
  gravity ? ballistic(gravity, bounds) : constantVelocity;

/**
 * The normalised acceleration to predict from a noisy window, beyond what the setting's rule gives. The next position is shifted by the last position's noise: the
 * network is to undo the noise of velocities, not that of positions.
 */
export function accelerationTarget(
  noisy: Window,
  lastNoise: Positions,
  next: Positions,
  setting: Setting,
  out: Float32Array,
  row = 0,
): void {
  const { statistics, noise, bounds } = setting;
  const dim = bounds.length;
  const expected = ruleOf(setting)(noisy);
  const scale = statistics.accelerationStd.map((std) => scaleOf(std, noise));
  for (let i = 0; i < expected.length; i++) {
    const k = i % dim;
    const acceleration = next[i] + lastNoise[i] - expected[i];
    out[row * dim + i] = (acceleration - statistics.accelerationMean[k]) / scale[k];
  }
}

/** The next positions from normalised accelerations: velocity first, then position (symplectic Euler, spec 3.9). */
export function integrate(window: Window, predicted: ArrayLike<number>, setting: Setting): Float64Array {
  const { statistics, noise, bounds } = setting;
  const dim = bounds.length;
  const scale = statistics.accelerationStd.map((std) => scaleOf(std, noise));
  return ruleOf(setting)(window).map(
    (x, i) => x + predicted[i] * scale[i % dim] + statistics.accelerationMean[i % dim],
  );
}
