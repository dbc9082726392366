/**
 * What is believed of the weights of one layer, in the order in which its support prior reads them. All in double
 * precision, everything about the support in log-odds (turbovbi.md section 2).
 */
export interface Supports {
  /** E[w²] = μ² + σ². */
  readonly secondMoments: Float64Array;
  /** Log-odds of π: what all others say of a weight. */
  readonly incoming: Float64Array;
  /** Δ: what the weight itself says. */
  readonly evidence: Float64Array;
  /** Log-odds of π̃. */
  readonly posterior: Float64Array;
  /** ⟨ρ⟩, the expected precision. */
  readonly precision: Float64Array;
}

/** Supports of `length` weights with these log-odds everywhere; nothing is said of their precisions yet. */
export function createSupports(length: number, logOdds: number): Supports {
  return {
    secondMoments: new Float64Array(length),
    incoming: new Float64Array(length).fill(logOdds),
    evidence: new Float64Array(length),
    posterior: new Float64Array(length).fill(logOdds),
    precision: new Float64Array(length),
  };
}
