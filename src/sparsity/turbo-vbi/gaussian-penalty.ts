import type { Value } from "../../engine/graph.ts";
import { add, mul, reduceSum, sub } from "../../engine/operators/index.ts";

/**
 * KL(q(w) ‖ N(0, 1/ρ)) up to constants, summed over a layer: Σ ½⟨ρ⟩(μ² + σ²) − ln σ (turbovbi.md 3.5). `precision` is
 * ⟨ρ⟩, shaped like `mean`; without a `spread` the weights are their means.
 */
export function gaussianPenalty(
  mean: Value,
  precision: Value,
  spread?: { variance: Value; logSigma: Value },
): Value {
  const square = mul(mean, mean);
  const half = mul(reduceSum(mul(precision, spread ? add(square, spread.variance) : square)), 0.5);
  return spread ? sub(half, reduceSum(spread.logSigma)) : half;
}
