import { Problem } from "../../problem.ts";
import type { Random } from "../../random.ts";

/**
 * How the active singular vectors are drawn: `mixed`, half at random and half by their singular values (the default);
 * `sigma`, by singular values alone; `uniform`; `sequential`, one after the other; `top`, always those of the largest
 * singular values, which starves the others and is there as a control.
 */
export const SAMPLERS = ["mixed", "sigma", "uniform", "sequential", "top"] as const;

export type Sampler = (typeof SAMPLERS)[number];

/** pᵢ of one draw (sst.md 3.3): ½(1/k + σᵢ/Σσ), σᵢ/Σσ, or 1/k. All equal where every σ is 0. */
export function drawProbabilities(
  sampler: "mixed" | "sigma" | "uniform",
  sigma: ArrayLike<number>,
): Float64Array {
  const k = sigma.length;
  const p = Float64Array.from(sigma);
  const total = p.reduce((a, b) => a + b, 0);
  const explore = sampler === "uniform" || total === 0 ? 1 : sampler === "mixed" ? 0.5 : 0;
  return p.map((v) => explore / k + (total > 0 ? ((1 - explore) * v) / total : 0));
}

/**
 * `count` distinct indices, by draws without replacement from p: those with the largest log pᵢ + gᵢ for Gumbel noise g,
 * which has the same law (Yellott 1977). Impossible ones come last, lowest index first.
 */
export function drawWithoutReplacement(p: ArrayLike<number>, count: number, rng: Random): number[] {
  const keys = Float64Array.from(p, (v) => Math.log(v) - Math.log(-Math.log(1 - rng.uniform())));
  return largest(keys, count);
}

/** The indices of the largest values, the lowest first among equals. */
export function largest(values: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: values.length }, (_, i) => i)
    .sort((a, b) => (values[a] === values[b] ? a - b : values[b] - values[a]))
    .slice(0, count);
}

/** What a sampler of the caller's own chose, where it is a choice. */
export function distinctIndices(chosen: readonly number[], count: number, of: number): readonly number[] {
  const distinct = new Set(chosen.filter((i) => Number.isInteger(i) && i >= 0 && i < of));
  if (chosen.length !== count || distinct.size !== count)
    throw new Problem(
      `sst: the sampler chose ${chosen.join(", ") || "nothing"}; ${count} distinct indices from 0 to ${of - 1} were asked for`,
    );
  return chosen;
}
