import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Problem } from "../../../src/problem.ts";
import { random } from "../../../src/random.ts";
import {
  clusteredValues,
  patternsOf,
  posteriorStep,
  quantize,
  quantizeUniform,
  uniformValues,
} from "../../../src/sparsity/encoding/quantize.ts";
import { planValues } from "../../../src/sparsity/encoding/values-code.ts";

const VECTORS = JSON.parse(readFileSync(new URL("../../vectors/turbovbi.json", import.meta.url), "utf8"));
const rng = random(1);
const normals = (n: number) => Float32Array.from({ length: n }, () => rng.normal());

/** Bits in a file for each weight that was in use. */
const bitsEach = (values: Float32Array, used: number, step?: number) =>
  planValues(patternsOf(values.filter((v) => v !== 0)), step).bits / used;

test("multiples of a step: the vector's symbols, halves away from zero", () => {
  const { values, step, symbols } = VECTORS.huffman;
  const found = uniformValues(Float32Array.from(values), step);
  expect(Array.from(found, (v) => Math.round(v / step))).toEqual(symbols);
  expect([...uniformValues(Float32Array.of(0.5, -0.5, 1.5, -0.25, 0.25), 1)]).toEqual([1, -1, 2, 0, 0]);
});

/** k-means of few numbers by brute force: every way to cut the sorted ones into intervals. */
function leastError(sorted: number[], clusters: number): number {
  if (clusters === 1) {
    const mean = sorted.reduce((a, b) => a + b, 0) / sorted.length;
    return sorted.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  }
  let least = Number.POSITIVE_INFINITY;
  for (let cut = 1; cut <= sorted.length - clusters + 1; cut++)
    least = Math.min(
      least,
      leastError(sorted.slice(0, cut), 1) + leastError(sorted.slice(cut), clusters - 1),
    );
  return least;
}

test("clusters that are apart are found; otherwise the error is a local optimum near the best", () => {
  const apart = Float32Array.from({ length: 300 }, (_, i) => [-2, 0.5, 3][i % 3] + 0.01 * rng.normal());
  expect(new Set(clusteredValues(apart, 3)).size).toBe(3);
  const error = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);
  expect(error(apart, clusteredValues(apart, 3)) / 300).toBeLessThan(2e-4);
  const ratios = Array.from({ length: 20 }, () => {
    const few = normals(12);
    return (
      error(few, clusteredValues(few, 3)) /
      leastError(
        [...few].sort((a, b) => a - b),
        3,
      )
    );
  });
  expect(Math.min(...ratios)).toBeGreaterThan(1 - 1e-5);
  expect(ratios.sort((a, b) => a - b)[10]).toBeLessThan(1.3);
});

test("values take no more bits than allowed, errors fall with them, zeros stay", () => {
  const weights = normals(4000).map((v) => (rng.uniform() < 0.5 ? v : 0));
  const used = weights.filter((w) => w !== 0).length;
  let before = Number.POSITIVE_INFINITY;
  for (const bits of [2, 3, 4, 6, 8]) {
    const { values, step, error } = quantize(weights, bits)!;
    expect(bitsEach(values, used, step)).toBeLessThanOrEqual(bits);
    expect(error).toBeLessThan(before / 1.4);
    before = error;
    weights.forEach((w, i) => expect(w !== 0 || Object.is(values[i], 0)).toBe(true));
    expect(values.some((v) => Object.is(v, -0))).toBe(false);
  }
});

test("a grid for bell-shaped weights, k-means where few bits meet a gap; neither exceeds its bits", () => {
  const bell = normals(3000);
  expect(quantize(bell, 3)!.step).toBeDefined();
  const gap = normals(9000).filter((v) => Math.abs(v) > 1);
  const found = quantize(gap, 2)!;
  expect(found.step).toBeUndefined();
  expect(bitsEach(found.values, gap.length)).toBeLessThanOrEqual(2);
});

test("weights near the smallest floats stay finite", () => {
  const tiny = normals(500).map((v) => 1e-44 * v);
  const { values, step } = quantize(tiny, 4)!;
  expect(values.every(Number.isFinite)).toBe(true);
  if (step !== undefined) expect(step).toBeGreaterThan(0);
});

test("what cannot be quantised is left alone", () => {
  expect(quantize(new Float32Array(10), 4)).toBeUndefined();
  expect(quantize(Float32Array.of(1, Number.POSITIVE_INFINITY), 4)).toBeUndefined();
  expect(quantize(Float32Array.of(1, 2), 1)).toBeUndefined();
});

test("a step of c · √12 · σ adds noise of c · σ", () => {
  const weights = normals(20_000);
  const sigmas = Float32Array.from({ length: 999 }, (_, i) => 0.05 + (0.001 * (i - 499)) / 499);
  const { error, step } = quantizeUniform(weights, posteriorStep(sigmas, 0.5));
  expect(step).toBeCloseTo(0.5 * Math.sqrt(12) * 0.05, 6);
  expect((error * Math.hypot(...weights)) / Math.sqrt(weights.length)).toBeCloseTo(0.025, 3);
});

test.each<[Float32Array, number, string]>([
  [new Float32Array(0), 0.35, "a share of 0.35 and no deviations"],
  [Float32Array.of(0.5, 0.5), -1, "a share of -1 and a median deviation of 0.5"],
  [Float32Array.of(0, 0, 1), 0.35, "a median deviation of 0;"],
  [Float32Array.of(Number.NaN), 0.35, "a median deviation of NaN"],
])("deviations %j and a share of %d give no step", (sigmas, share, words) => {
  expect(() => posteriorStep(sigmas, share)).toThrow(Problem);
  expect(() => posteriorStep(sigmas, share)).toThrow(words);
});
