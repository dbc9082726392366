import { clip } from "../log-odds.ts";

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

/** Between the modules of one layer, as arrays that `sendMessages` reads and writes. */
export interface Messages {
  readonly evidence: Float64Array;
  readonly incoming: Float64Array;
}

/** Module B with messages limited to ±`limit` on both sides: `incoming` becomes what all others say of each bit. */
export function sendMessages(
  prior: SupportPrior,
  { evidence, incoming }: Messages,
  limit = MESSAGE_LIMIT,
): void {
  const sent = evidence.slice();
  clip(sent, limit);
  prior.extrinsic(sent, incoming);
  clip(incoming, limit);
}

/**
 * Module B as the authors' public demo has it: priors times marginals go in, marginals come back as priors, so that
 * evidence counts again in every round (turbovbi.md 9.6). For comparison.
 */
export function sendMarginals(
  prior: SupportPrior,
  { evidence, incoming }: Messages,
  limit = MESSAGE_LIMIT,
): void {
  const sent = evidence.map((delta, i) => delta + 2 * incoming[i]);
  clip(sent, limit);
  prior.extrinsic(sent, incoming);
  for (let i = 0; i < sent.length; i++) incoming[i] += sent[i];
  clip(incoming, limit);
}
