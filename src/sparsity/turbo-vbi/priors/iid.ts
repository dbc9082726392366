import { logit, softplus } from "../log-odds.ts";
import { probability } from "./parameters.ts";
import type { SupportPrior } from "./prior.ts";

/** Independent bits, each on with probability λ: plain spike and slab, without structure. */
export function iidPrior(lambda: number): SupportPrior {
  const logOdds = logit(probability("lambda", lambda));
  return {
    extrinsic: (_, out) => void out.fill(logOdds),
    logPartition: (evidence) =>
      evidence.reduce((sum, delta) => sum + softplus(logOdds + delta) - softplus(logOdds), 0),
  };
}
