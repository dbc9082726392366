import type { Random } from "../random.ts";
import { kernelsFor } from "./room.ts";
import { type Sigmoid, winWeights } from "./win-weights.ts";

/** Cells within this distance of the largest support are equally good. */
const TIE = 1e-9;

/** Where draws come from; one number a module, in the order of the modules, in both rules. */
export type Uniform = Pick<Random, "uniform">;

/** V̂_q of every module into `best`; returns the familiarity G, their mean (3.2, step 6). */
export function familiarityOf(support: Float64Array, k: number, best: Float64Array): number {
  const kernels = kernelsFor(support);
  if (kernels && best.buffer === support.buffer)
    return kernels.largest(support.byteOffset, best.length, k, best.byteOffset) / best.length;
  let sum = 0;
  for (let q = 0; q < best.length; q++) {
    let max = 0;
    for (let i = q * k; i < (q + 1) * k; i++) if (support[i] > max) max = support[i];
    best[q] = max;
    sum += max;
  }
  return sum / best.length;
}

/** The cell of largest support in every module, ties broken evenly: the rule of recognition. */
export function pickBest(
  support: Float64Array,
  k: number,
  best: Float64Array,
  rng: Uniform,
  code: Uint32Array,
): void {
  for (let q = 0; q < best.length; q++) {
    const floor = best[q] - TIE;
    const ties = countFrom(support, q * k, (q + 1) * k, floor);
    let skip = Math.floor(rng.uniform() * ties);
    let i = q * k;
    for (; support[i] < floor || skip-- > 0; i++);
    code[q] = i;
  }
}

/**
 * A cell of every module drawn with probability ψ/Σψ: the rule of learning (3.2, steps 9 to 11). `weights` has room for
 * one module.
 */
export function drawWinners(
  support: Float64Array,
  k: number,
  eta: number,
  sigmoid: Sigmoid,
  rng: Uniform,
  weights: Float64Array,
  code: Uint32Array,
): void {
  for (let q = 0; q < code.length; q++) {
    const target = rng.uniform() * winWeights(support, q * k, k, eta, sigmoid, weights);
    let winner = 0;
    for (let sum = weights[0]; winner < k - 1 && target >= sum; sum += weights[++winner]);
    code[q] = q * k + winner;
  }
}

/** ζ: how many cells a module are as good as certain, on average over the modules and rounded, at least 1 (step 7). */
export function countHypotheses(support: Float64Array, q: number, threshold: number): number {
  return Math.max(1, Math.floor(countFrom(support, 0, support.length, threshold) / q + 0.5));
}

/** How many of the supports from `from` up to `to` are at least `least`. */
function countFrom(support: Float64Array, from: number, to: number, least: number): number {
  const kernels = kernelsFor(support);
  if (kernels) return kernels.countFrom(support.byteOffset + 8 * from, to - from, least);
  let count = 0;
  for (let i = from; i < to; i++) if (support[i] >= least) count++;
  return count;
}

/** F(ζ) = ζ^A up to B hypotheses, 0 (ignore the source) beyond: makes up for support that ζ codes share. */
export function compensation(zeta: number, exponent: number, limit: number | null): number {
  return limit !== null && zeta > limit ? 0 : zeta ** exponent;
}
