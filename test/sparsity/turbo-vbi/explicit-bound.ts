import { logistic } from "../../../src/sparsity/turbo-vbi/log-odds.ts";
import type { PrecisionPrior } from "../../../src/sparsity/turbo-vbi/precision-prior.ts";
import { digamma, logGamma } from "../../../src/sparsity/turbo-vbi/special.ts";

/** q(ρ) = Gamma(shape, rate). */
export interface Gamma {
  shape: number;
  rate: number;
}

const LOG_2PI = Math.log(2 * Math.PI);

const mean = ({ shape, rate }: Gamma) => shape / rate;
const meanLog = ({ shape, rate }: Gamma) => digamma(shape) - Math.log(rate);
const entropy = ({ shape, rate }: Gamma) =>
  shape - Math.log(rate) + logGamma(shape) + (1 - shape) * digamma(shape);
const logDensity = (a: number, b: number, q: Gamma) =>
  a * Math.log(b) - logGamma(a) + (a - 1) * meanLog(q) - b * mean(q);
const logNormal = (q: Gamma, secondMoment: number) => (meanLog(q) - LOG_2PI - mean(q) * secondMoment) / 2;
const logBernoulli = (p: number, q: number) => {
  const term = (x: number, y: number) => (x > 0 ? x * (Math.log(y) - Math.log(x)) : 0);
  return term(q, p) + term(1 - q, 1 - p);
};

/** Terms of the evidence lower bound without the data and the entropy of q(w), by the definition, term by term (7.1): q(ρ) q(s). */
export function meanFieldTerms(
  { a, b, aBar, bBar }: PrecisionPrior,
  pi: number,
  q: { probability: number; rho: Gamma },
  secondMoment: number,
): number {
  const { probability: p, rho } = q;
  return (
    logNormal(rho, secondMoment) +
    p * logDensity(a, b, rho) +
    (1 - p) * logDensity(aBar, bBar, rho) +
    entropy(rho) +
    logBernoulli(pi, p)
  );
}

/** The same for q(s) q(ρ|s). */
export function structuredTerms(
  { a, b, aBar, bBar }: PrecisionPrior,
  pi: number,
  q: { probability: number; on: Gamma; off: Gamma },
  secondMoment: number,
): number {
  const { probability: p, on, off } = q;
  return (
    p * (logNormal(on, secondMoment) + logDensity(a, b, on) + entropy(on)) +
    (1 - p) * (logNormal(off, secondMoment) + logDensity(aBar, bBar, off) + entropy(off)) +
    logBernoulli(pi, p)
  );
}

/** The best q(s) q(ρ|s), from the definition of a conditional posterior alone. */
export function bestStructured(prior: PrecisionPrior, logOdds: number, secondMoment: number) {
  const { a, b, aBar, bBar } = prior;
  return {
    probability: logistic(logOdds),
    on: { shape: a + 0.5, rate: b + secondMoment / 2 },
    off: { shape: aBar + 0.5, rate: bBar + secondMoment / 2 },
  };
}
