import { logistic } from "../../../src/sparsity/turbo-vbi/log-odds.ts";
import type { Chain } from "../../../src/sparsity/turbo-vbi/priors/chain.ts";

/** ln p(s) up to a constant, of a state of all bits. */
export type LogWeight = (bits: readonly number[]) => number;

/** Extrinsic log-odds, marginals and ln Σ_s exp(logWeight + Σ sΔ) by summing over all states. */
export function enumerate(logWeight: LogWeight, evidence: readonly number[]) {
  const n = evidence.length;
  const on = new Array<number>(n).fill(0);
  const off = new Array<number>(n).fill(0);
  let total = 0;
  for (let state = 0; state < 2 ** n; state++) {
    const bits = evidence.map((_, i) => (state >> i) & 1);
    const p = Math.exp(bits.reduce((sum, s, i) => sum + s * evidence[i], logWeight(bits)));
    total += p;
    bits.forEach((s, i) => ((s ? on : off)[i] += p));
  }
  return {
    out: on.map((p, i) => Math.log(p / off[i]) - evidence[i]),
    marginal: on.map((p) => p / total),
    logPartition: Math.log(total),
  };
}

export function chainWeight({ lambda, p01, p10 }: Chain): LogWeight {
  return (bits) =>
    bits.reduce((sum, s, i) => {
      if (i === 0) return Math.log(s ? lambda : 1 - lambda);
      const to1 = bits[i - 1] ? 1 - p10 : p01;
      return sum + Math.log(s ? to1 : 1 - to1);
    }, 0);
}

/** Rows of `columns` bits each. */
export function rowsOf(bits: readonly number[], columns: number): number[][] {
  return Array.from({ length: bits.length / columns }, (_, r) => bits.slice(r * columns, (r + 1) * columns));
}

export const probabilities = (logOdds: ArrayLike<number>) => Array.from(logOdds, logistic);

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}
