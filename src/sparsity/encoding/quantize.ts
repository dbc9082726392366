import { Problem } from "../../problem.ts";
import type { Histogram } from "./values-code.ts";
import { MOST_SYMBOLS, valueBits } from "./values-code.ts";

export interface Quantized {
  /** As many as were given; zeros stay zero, and small weights may become zero. */
  values: Float32Array;
  /** Of uniform values: what they are multiples of, a float32. */
  step?: number;
  /** Root of the mean squared change of weights in use, over their own root mean square. */
  error: number;
}

/** Multiples of a step, halves rounded away from zero (turbovbi.md 3.8). */
export function uniformValues(values: Float32Array, step: number): Float32Array {
  return values.map((v) => multipleOf(v, step));
}

/** The multiple of a step that a number is rounded to: away from zero from half of a step beyond one, plus a share `deadZone`. */
export function multipleOf(value: number, step: number, deadZone = 0): number {
  // No −0: it is no zero in a file.
  return Math.sign(value) * Math.floor(Math.abs(value) / step + (0.5 - deadZone)) * step + 0;
}

/** Whether weights can be multiples of it, as a float32. */
export function isStep(step: number): boolean {
  return Math.fround(step) > 0 && Number.isFinite(Math.fround(step));
}

/** Multiples of a step, rounded to what a file holds, and what that changes. */
export function quantizeUniform(values: Float32Array, size: number): Quantized {
  const step = Math.fround(size);
  const made = uniformValues(values, step);
  return { values: made, step, error: change(values, made) };
}

/**
 * The step whose rounding adds `share` times the median posterior deviation of the weights in use (turbovbi.md 3.8).
 *
 * @param sigmas Posterior standard deviations of these weights, at least one. Throws a `Problem` where they, or the share,
 *   give no step.
 */
export function posteriorStep(sigmas: Float32Array, share = 0.35): number {
  const sorted = sigmas.slice().sort();
  const middle = sorted[sorted.length >> 1];
  const step = Math.fround(share * Math.sqrt(12) * middle);
  if (!isStep(step))
    throw new Problem(
      `no step from a share of ${share} and ${sorted.length === 0 ? "no deviations" : `a median deviation of ${middle}`}; give a share above 0 and the deviations of weights in use`,
    );
  return step;
}

/**
 * The values of one codebook that is shared by all weights in use: 1-D k-means from equally spaced centres (Han, Mao and
 * Dally, Deep Compression, 2016, 3.1). On sorted numbers a cluster is an interval, so that a round costs k searches.
 */
export function clusteredValues(values: Float32Array, clusters: number): Float32Array {
  return values.map(codebook(sortUsed(values), clusters));
}

/** Numbers in their order, and the sums of the first 0, 1, 2, … of them. */
interface Sorted {
  values: Float32Array;
  sums: Float64Array;
}

function sortUsed(all: Float32Array): Sorted {
  const values = all.slice();
  let count = 0;
  for (const v of all) if (v !== 0) values[count++] = v;
  const sorted = values.subarray(0, count).sort();
  const sums = new Float64Array(count + 1);
  for (let i = 0; i < count; i++) sums[i + 1] = sums[i] + sorted[i];
  return { values: sorted, sums };
}

/** What k-means makes of a number; zeros stay zero. */
function codebook({ values: sorted, sums }: Sorted, clusters: number): (v: number) => number {
  if (sorted.length === 0) return (v) => v;
  const [low, high] = [sorted[0], sorted[sorted.length - 1]];
  let centres = Float64Array.from(
    { length: clusters },
    (_, i) => low + ((i + 0.5) * (high - low)) / clusters,
  );
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const ends = [...centres.keys()].map((i) =>
      i + 1 < centres.length ? firstAbove(sorted, (centres[i] + centres[i + 1]) / 2) : sorted.length,
    );
    const means = ends.flatMap((end, i) => {
      const start = i ? ends[i - 1] : 0;
      return end > start ? [(sums[end] - sums[start]) / (end - start)] : [];
    });
    const still = means.length === centres.length && means.every((m, i) => m === centres[i]);
    centres = Float64Array.from(means);
    if (still) break;
  }
  const bounds = Float64Array.from(centres.subarray(1), (c, i) => (c + centres[i]) / 2);
  return (v) => (v === 0 ? 0 : centres[firstAbove(bounds, v)]);
}

/**
 * Few distinct values for the weights in use, such that these take at most `bits` bits each in a file, codebook included and
 * index not: the finest uniform grid or the largest k-means codebook that fits, whichever changes the weights less.
 * Undefined where none fits, and where a weight is not finite.
 *
 * Huffman codes make a grid cheap whose outer values are rare. k-means is better where few bits meet weights that pruning
 * has left on both sides of a gap.
 */
export function quantize(values: Float32Array, bits: number): Quantized | undefined {
  const used = sortUsed(values);
  const count = used.values.length;
  const largest = Math.max(Math.abs(used.values[0]), Math.abs(used.values[count - 1]));
  if (!Number.isFinite(largest)) return undefined;
  const fits = (quantizer: (v: number) => number, step?: number) => {
    const histogram = histogramOfSorted(used.values, quantizer);
    const kept = histogram ? histogram.counts.reduce((sum, n) => sum + n, 0) : count;
    return valueBits(kept, histogram, step) <= bits * count;
  };
  // Steps by powers of 2^¼, from so wide that hardly anything is left.
  const uniform = finest(4 * 24, (n) => {
    const step = Math.fround(largest / 2 ** (n / 4));
    return isStep(step) && fits((v) => multipleOf(v, step), step) ? step : undefined;
  });
  const clusters = finest(Math.min(Math.ceil(2 ** bits) + 1, count), (n) => {
    const quantizer = codebook(used, n + 1);
    return fits(quantizer) ? quantizer : undefined;
  });
  const candidates: Quantized[] = [];
  if (uniform !== undefined) candidates.push(quantizeUniform(values, uniform));
  if (clusters !== undefined) {
    const made = values.map(clusters);
    candidates.push({ values: made, error: change(values, made) });
  }
  return candidates.sort((a, b) => a.error - b.error)[0];
}

/**
 * What a quantiser that never falls makes of sorted numbers, but for zeros: as many searches as there are values. Undefined for
 * more of these than a table has.
 */
function histogramOfSorted(sorted: Float32Array, quantizer: (v: number) => number): Histogram | undefined {
  const distinct: number[] = [];
  const counts: number[] = [];
  for (let start = 0; start < sorted.length; ) {
    const value = Math.fround(quantizer(sorted[start]));
    const end = firstIndex(start + 1, sorted.length, (i) => Math.fround(quantizer(sorted[i])) > value);
    if (value !== 0) {
      distinct.push(value);
      counts.push(end - start);
    }
    if (counts.length > MOST_SYMBOLS) return undefined;
    start = end;
  }
  return { patterns: patternsOf(Float32Array.from(distinct)), counts };
}

/** The bits of float32 numbers. */
export function patternsOf({ buffer, byteOffset, length }: Float32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

const MOST_ROUNDS = 100;

/** What `attempt` makes of the largest number below `count` for which it makes anything, if it does so for all smaller ones. */
function finest<T>(count: number, attempt: (n: number) => T | undefined): T | undefined {
  let best: T | undefined;
  for (let low = 0, high = count; low < high; ) {
    const middle = (low + high) >> 1;
    const found = attempt(middle);
    if (found === undefined) high = middle;
    else {
      best = found;
      low = middle + 1;
    }
  }
  return best;
}

/** How many of the sorted numbers are at most `bound`. */
function firstAbove(sorted: Float32Array | Float64Array, bound: number): number {
  return firstIndex(0, sorted.length, (i) => sorted[i] > bound);
}

/** The first number from `low` to `high` that passes, where all that follow do; `high` counts as one that does. */
function firstIndex(low: number, high: number, passes: (i: number) => boolean): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function change(before: Float32Array, after: Float32Array): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < before.length; i++) {
    difference += (before[i] - after[i]) ** 2;
    size += before[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
