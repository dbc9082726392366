import { logMarginal } from "./module-a.ts";
import type { PrecisionPrior } from "./precision-prior.ts";
import type { SupportPrior } from "./priors/prior.ts";
import type { Supports } from "./supports.ts";

/**
 * What the weights of a layer contribute to the bound F (turbovbi.md 3.6), with the best q(ρ, s) for their second
 * moments: Σ lnZ(E2; ā, b̄) + ln Σ_s p(s) e^{Σ sΔ} − (W/2) ln 2π. To it come the expected log-likelihood of the data and
 * the entropy of q(w). Undefined where the prior has no partition function.
 *
 * Needs `evidence` of the structured Module A.
 */
export function layerBound(
  { secondMoments, evidence }: Supports,
  { aBar, bBar }: PrecisionPrior,
  prior: SupportPrior,
): number | undefined {
  if (!prior.logPartition) return undefined;
  const spike = logMarginal(aBar, bBar);
  let sum = prior.logPartition(evidence);
  for (const e of secondMoments) sum += spike(e);
  return sum - (secondMoments.length / 2) * Math.log(2 * Math.PI);
}
