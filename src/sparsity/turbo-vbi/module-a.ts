import { logistic } from "./log-odds.ts";
import type { PrecisionPrior } from "./precision-prior.ts";
import { digamma, logGamma } from "./special.ts";
import type { Supports } from "./supports.ts";

/**
 * Which factorisation q(ρ, s) has. `structured`, the default: q(s) Π q(ρ|s), one closed form with one solution.
 * `mean-field`: q(ρ) q(s), as published; it has several fixed points, and a weight without any evidence can stay on.
 */
export type Variant = "structured" | "mean-field";

export interface ModuleAOptions {
  prior: PrecisionPrior;
  variant?: Variant;
  /**
   * Of `mean-field`: what a weight adds to the shape of its precision. `real`, the default, adds ½; `complex` adds 1,
   * which the published code takes over from complex signals: with real weights it is not a descent any more.
   */
  constants?: "real" | "complex";
  /** Of `mean-field`: most rounds of ρ, then s, in one call; it ends earlier where nothing moves. Default 10. */
  rounds?: number;
}

/** Module A: from second moments and incoming messages to evidence, posterior and expected precision, in place. */
export type ModuleA = (supports: Supports) => void;

/** The change of a probability at which the rounds of the mean-field variant end. */
const STILL = 1e-6;

export function createModuleA({
  prior,
  variant = "structured",
  constants = "real",
  rounds = 10,
}: ModuleAOptions): ModuleA {
  return variant === "structured"
    ? structured(prior)
    : meanField(prior, constants === "real" ? 0.5 : 1, rounds);
}

/** ⟨ρ⟩ to start from, before any weight is known and with P(weight is in use) = `probability`. */
export function initialPrecision({ prior, variant }: ModuleAOptions, probability: number): number {
  const { a, b, aBar, bBar } = prior;
  const mix = (on: number, off: number) => probability * on + (1 - probability) * off;
  return variant === "mean-field" ? mix(a, aBar) / mix(b, bBar) : mix(a / b, aBar / bBar);
}

/** ln ∫ N(w; 0, 1/ρ) Gamma(ρ; a, b) dρ + ½ ln 2π at w² = E2: the Student-t density (3.4). */
export function logMarginal(a: number, b: number): (secondMoment: number) => number {
  const constant = marginalConstant(a, b);
  return (secondMoment) => constant - (a + 0.5) * Math.log(b + secondMoment / 2);
}

function marginalConstant(a: number, b: number): number {
  return a * Math.log(b) - logGamma(a) + logGamma(a + 0.5);
}

/** Δ = lnZ(E2; a, b) − lnZ(E2; ā, b̄); ⟨ρ⟩ is the mean of both conditional means. */
function structured({ a, b, aBar, bBar }: PrecisionPrior): ModuleA {
  const [slab, spike] = [a + 0.5, aBar + 0.5];
  const constant = marginalConstant(a, b) - marginalConstant(aBar, bBar);
  return ({ secondMoments, incoming, evidence, posterior, precision }) => {
    for (let i = 0; i < secondMoments.length; i++) {
      const half = secondMoments[i] / 2;
      const [on, off] = [b + half, bBar + half];
      const delta = constant - slab * Math.log(on) + spike * Math.log(off);
      const logOdds = incoming[i] + delta;
      const p = 1 / (1 + Math.exp(-logOdds));
      evidence[i] = delta;
      posterior[i] = logOdds;
      precision[i] = (p * slab) / on + ((1 - p) * spike) / off;
    }
  };
}

/** q(ρ) = Gamma(shape, rate) of the mean-field variant: π̃a + (1 − π̃)ā + c and π̃b + (1 − π̃)b̄ + c·E2. */
export function gammaPosterior(
  { a, b, aBar, bBar }: PrecisionPrior,
  probability: number,
  secondMoment: number,
  c = 0.5,
): { shape: number; rate: number } {
  return {
    shape: probability * a + (1 - probability) * aBar + c,
    rate: probability * b + (1 - probability) * bBar + c * secondMoment,
  };
}

/** Expected log-density of a Gamma prior: a ln b − ln Γ(a) + (a − 1)⟨ln ρ⟩ − b⟨ρ⟩. */
export function expectedLogGamma(a: number, b: number): (mean: number, meanLog: number) => number {
  const constant = a * Math.log(b) - logGamma(a);
  return (mean, meanLog) => constant + (a - 1) * meanLog - b * mean;
}

function meanField(prior: PrecisionPrior, c: number, rounds: number): ModuleA {
  const on = expectedLogGamma(prior.a, prior.b);
  const off = expectedLogGamma(prior.aBar, prior.bBar);
  return ({ secondMoments, incoming, evidence, posterior, precision }) => {
    for (let i = 0; i < secondMoments.length; i++) {
      let p = logistic(posterior[i]);
      let change = 1;
      for (let round = 0; round < rounds && change > STILL; round++) {
        const { shape, rate } = gammaPosterior(prior, p, secondMoments[i], c);
        const mean = shape / rate;
        const meanLog = digamma(shape) - Math.log(rate);
        precision[i] = mean;
        evidence[i] = on(mean, meanLog) - off(mean, meanLog);
        posterior[i] = incoming[i] + evidence[i];
        const next = logistic(posterior[i]);
        change = Math.abs(next - p);
        p = next;
      }
    }
  };
}
