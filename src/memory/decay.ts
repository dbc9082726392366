import { Problem } from "../problem.ts";

/** How a weight fades with the learning frames since its last coincidence (`specs/sparsey.md` 3.7). */
export type Decay =
  /**
   * In steps, and slower for synapses that were confirmed: stiffness 0 and 1 lose weight at the given ages, stiffness 2
   * is permanent. A coincidence before the first of these ages, but not within one code's persistence, stiffens.
   */
  | { kind: "step"; ages: readonly [Ages, Ages]; weights: Ages }
  /** w(τ) = (1 + κ/T)/(1 + κ/(T − τ)) for τ < T, else 0. */
  | { kind: "convex"; horizon: number; kappa: number };

type Ages = readonly [number, number, number];

/** The constants of the author's own program, weights divided by 127. */
export const STEP_DECAY: Decay = {
  kind: "step",
  ages: [
    [2000, 3000, 4000],
    [4000, 6000, 8000],
  ],
  weights: [1, 120 / 127, 50 / 127],
};

/** Stiffness of a synapse that no longer fades. */
export const PERMANENT = 2;

export function decayedWeight(decay: Decay, age: number, stiffness: number): number {
  if (decay.kind === "convex") {
    const { horizon, kappa } = decay;
    return age < horizon ? (1 + kappa / horizon) / (1 + kappa / (horizon - age)) : 0;
  }
  if (stiffness >= PERMANENT) return 1;
  const step = decay.ages[stiffness].findIndex((limit) => age < limit);
  return step < 0 ? 0 : decay.weights[step];
}

/** Stiffness after a coincidence at `age` frames since the last one. */
export function stiffened(decay: Decay, age: number, stiffness: number, persistence: number): number {
  if (decay.kind === "convex" || stiffness >= PERMANENT) return stiffness;
  return age < decay.ages[stiffness][0] && age >= persistence ? stiffness + 1 : stiffness;
}

/** Throws a Problem unless these are the constants of a decay. */
export function checkDecay(decay: Decay): void {
  const rising = (ages: unknown) =>
    Array.isArray(ages) &&
    ages.length === 3 &&
    ages.every((age, i) => Number.isFinite(age) && age > (i ? ages[i - 1] : 0));
  const good =
    decay?.kind === "convex"
      ? decay.horizon > 0 && decay.kappa >= 0
      : decay?.kind === "step" &&
        Array.isArray(decay.ages) &&
        decay.ages.length === 2 &&
        decay.ages.every(rising) &&
        Array.isArray(decay.weights) &&
        decay.weights.length === 3 &&
        decay.weights.every((w) => w >= 0 && w <= 1);
  if (!good)
    throw new Problem(
      `memory: decay is ${JSON.stringify(decay)}; expected { kind: "step", ages, weights } with rising ages and ` +
        'weights from 0 to 1, or { kind: "convex", horizon > 0, kappa ≥ 0 }',
    );
}
