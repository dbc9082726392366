import { clip } from "../log-odds.ts";

/** Weights as a support prior sees them: `tiles` grids of `rows` lines of `columns` weights, one behind the other. */
export interface SupportShape {
  readonly tiles: number;
  readonly rows: number;
  readonly columns: number;
}

/**
 * A distribution of the support bits of one layer: Module B. Implement it to bring your own. Arrays are row-major
 * [tiles, rows, columns].
 */
export interface SupportPrior {
  /**
   * Writes to `out` the log-odds of each bit given the evidence on all *other* bits. `evidence` are log-odds without the
   * prior. Exact, or belief propagation where the distribution has loops.
   */
  extrinsic(evidence: Float64Array, out: Float64Array): void;
  /** ln Σ_s p(s) exp(Σ s_n Δ_n), where that is tractable. */
  logPartition?(evidence: Float64Array): number;
  /** One step of expectation maximisation of the prior's own parameters. */
  learn?(evidence: Float64Array): void;
  /** What `learn` changes, as JSON, for checkpoints. */
  state?(): unknown;
  restore?(state: unknown): void;
}

/** Log-odds beyond this say nothing more in training: p = 6e-6. */
export const MESSAGE_LIMIT = 12;

/** Module B with messages limited to ±`limit` on both sides. `evidence` stays as it is. */
export function sendMessages(
  prior: SupportPrior,
  evidence: Float64Array,
  out: Float64Array,
  limit = MESSAGE_LIMIT,
): void {
  const limited = evidence.slice();
  clip(limited, limit);
  prior.extrinsic(limited, out);
  clip(out, limit);
}
