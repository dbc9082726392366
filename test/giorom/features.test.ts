import { expect, test } from "vitest";
import {
  accelerationTarget,
  addNoise,
  integrate,
  walkNoise,
  windowFeatures,
} from "../../src/giorom/features.ts";
import type { Setting } from "../../src/giorom/setting.ts";
import { random } from "../../src/random.ts";
import { flat, largestDifference, vectors } from "./support.ts";

const v = vectors.features;
const frames = (nested: number[][][]) => nested.map((frame) => Float64Array.from(flat(frame)));
const clean = frames(v.window as unknown as number[][][]);
const noise = frames(v.pos_noise as unknown as number[][][]);
const setting: Setting = {
  bounds: [v.bounds, v.bounds],
  radius: v.radius,
  latentRadius: 0,
  statistics: {
    velocityMean: v.stats.v_mean,
    velocityStd: v.stats.v_std,
    accelerationMean: v.stats.a_mean,
    accelerationStd: v.stats.a_std,
  },
  noise: v.noise_std,
  frameInterval: 0.005,
};

test("features and target of the vectors", () => {
  const noisy = addNoise(clean, noise);
  const features = new Float32Array(3 * 14);
  windowFeatures(noisy, setting, features);
  const part = (from: number, to: number) =>
    [0, 1, 2].flatMap((i) => [...features.subarray(14 * i + from, 14 * i + to)]);
  // Features are float32 of numbers around 1.
  expect(largestDifference(part(0, 10), flat(v.vel_features))).toBeLessThan(1e-6);
  expect(largestDifference(part(10, 14), flat(v.boundary_features))).toBeLessThan(1e-6);
  const target = new Float32Array(6);
  const next = Float64Array.from(flat(v.target_pos));
  accelerationTarget(noisy, noise[5], next, setting, target);
  expect(largestDifference(target, flat(v.target_norm_acc))).toBeLessThan(1e-6);
  // Spec 7.7: a perfect prediction lands on the next position plus the last noise.
  const landed = integrate(noisy, target, setting).map((x, i) => x - noise[5][i]);
  expect(largestDifference(landed, flat(v.check_denorm_next_pos_minus_noise))).toBeLessThan(1e-8);
  expect(largestDifference(landed, next)).toBeLessThan(1e-8);
});

test("noise is a random walk: variance σ²j/C of velocity j, 11 σ² of the last position", () => {
  const still = Array.from({ length: 6 }, () => new Float64Array(40_000));
  const sigma = 0.3;
  const walk = walkNoise(still, sigma, random(1));
  const variance = (values: Float64Array) => values.reduce((a, x) => a + x * x, 0) / values.length;
  for (let j = 1; j <= 5; j++) {
    const velocity = walk[j].map((x, i) => x - walk[j - 1][i]);
    // Three standard errors of a variance from 40 000 numbers are 2 %.
    expect(Math.abs(variance(velocity) / ((sigma ** 2 * j) / 5) - 1)).toBeLessThan(0.03);
  }
  expect(Math.abs(variance(walk[5]) / (11 * sigma ** 2) - 1)).toBeLessThan(0.03);
  expect(variance(walk[0])).toBe(0);
});
