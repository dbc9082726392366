/** ln(p/(1 − p)), the inverse of `logistic`. */
export function logit(p: number): number {
  return Math.log(p / (1 - p));
}

/** 1/(1 + e^−x), the probability with log-odds x. */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** ln(1 + eˣ) = −ln of the probability of 0 with log-odds x; never overflows. */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** Limits log-odds to ±`limit`, in place. */
export function clip(logOdds: Float64Array, limit: number): void {
  for (let i = 0; i < logOdds.length; i++)
    logOdds[i] = logOdds[i] > limit ? limit : logOdds[i] < -limit ? -limit : logOdds[i];
}
