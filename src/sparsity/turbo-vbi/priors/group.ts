import { logit, softplus } from "../log-odds.ts";
import { probability } from "./parameters.ts";
import type { SupportPrior } from "./prior.ts";

/**
 * One bit for each group of weights, on with probability λ (turbovbi.md 3.3b). The prior enters once a group, not once a
 * member.
 *
 * @param labels The group of each weight, from 0.
 */
export function groupPrior(lambda: number, labels: ArrayLike<number>): SupportPrior {
  const logOdds = logit(probability("lambda", lambda));
  let groups = 0;
  for (let i = 0; i < labels.length; i++) groups = Math.max(groups, labels[i] + 1);
  const totals = new Float64Array(groups);
  const gather = (evidence: Float64Array) => {
    totals.fill(0);
    for (let i = 0; i < labels.length; i++) totals[labels[i]] += evidence[i];
  };
  return {
    extrinsic: (evidence, out) => {
      gather(evidence);
      for (let i = 0; i < labels.length; i++) out[i] = logOdds + totals[labels[i]] - evidence[i];
    },
    logPartition: (evidence) => {
      gather(evidence);
      return totals.reduce((sum, total) => sum + softplus(logOdds + total) - softplus(logOdds), 0);
    },
  };
}

/** Labels of blocks of `size` neighbours along each line; the last block of a line may be shorter. */
export function blockLabels(lines: number, columns: number, size: number): Int32Array {
  const perLine = Math.ceil(columns / size);
  return Int32Array.from(
    { length: lines * columns },
    (_, i) => Math.floor(i / columns) * perLine + Math.floor((i % columns) / size),
  );
}
