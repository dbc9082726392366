import { Problem } from "../../problem.ts";
import type { Clock } from "./clock.ts";
import type { Sampler } from "./samplers.ts";
import { SAMPLERS } from "./samplers.ts";

export interface SpectralOptions extends Partial<Clock> {
  /** r: pairs of singular vectors that train at a time, in every layer. */
  rank: number;
  /** Which weights, by name; by default all `linearMaps` but output layers. */
  layers?: readonly string[] | ((weight: string) => boolean);
  /** Steps of the whole training: short ones get shorter iterations. */
  steps?: number;
  /**
   * What vectors move along: `enhanced` (default) leaves the factor σᵢ out of the derivative, so that weak directions learn
   * as fast as strong ones; `default` is the derivative.
   */
  gradient?: "enhanced" | "default";
  /** A law by name, or a choice of `count` distinct indices by falling singular values. Default `mixed`. */
  sampler?: Sampler | ((values: Float64Array, count: number) => readonly number[]);
  /** What the warm-up of every iteration slows down: `all` (default), or singular values and vectors alone. */
  warmupScope?: "all" | "spectral";
  /** Factors on the learning rate. Default 1. */
  rates?: { values?: number; left?: number; right?: number };
  /** Weight decay of singular values, which is that of W while its vectors are orthonormal: `none` (default), or the trainer's. */
  weightDecay?: "none" | "values";
  /** Whether rounds end in a new decomposition. Default true; without, vectors drift together. */
  decompose?: boolean;
  seed?: number;
}

/** Throws a `Problem` for words that are none of the options' and numbers that cannot be. */
export function checkOptions({
  rank,
  gradient,
  sampler,
  warmupScope,
  weightDecay,
  rates = {},
}: SpectralOptions): void {
  if (!(Number.isInteger(rank) && rank > 0))
    throw new Problem(`sst: rank is ${rank}; take a whole number above 0`);
  const words = [
    ["gradient", gradient, ["enhanced", "default"]],
    ["sampler", typeof sampler === "function" ? undefined : sampler, SAMPLERS],
    ["warmupScope", warmupScope, ["all", "spectral"]],
    ["weightDecay", weightDecay, ["none", "values"]],
  ] as const;
  for (const [name, given, known] of words)
    if (given !== undefined && !(known as readonly string[]).includes(given))
      throw new Problem(`sst: ${name} is "${given}"; take one of ${known.join(", ")}`);
  for (const [name, rate] of Object.entries(rates))
    if (!(rate >= 0 && Number.isFinite(rate)))
      throw new Problem(`sst: the rate of ${name} is ${rate}; take a number of at least 0`);
}
