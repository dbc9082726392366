import { arenaOf } from "../../kernels/arena.ts";
import { METRIC_FLOOR } from "./debiased.ts";
import { notNegative, positive } from "./per-group.ts";
import { sampleSize, searchRoom, uniformKernels } from "./uniform.ts";

/** What a proximal step did to single weights, of magnitude b before it. */
export interface SingleWeightsResult {
  /** Up to this b a weight became zero. */
  zero: number;
  /** From this b on it felt weight decay alone. */
  whole: number;
  /** b of a weight that is p now; 0 where p is. */
  before(p: number): number;
}

/** Thresholds that are recovered from float32 weights are this exact, relatively. */
const RECOVERED = 2 ** -20;

/**
 * The whole proximal step where each weight is a group of its own and all count alike: `proxFactors` for the magnitudes, or
 * with μ `debiasedProxFactors`, without an array of norms or factors. One pass that reads and one that writes, unless a
 * sample misleads the search for the root.
 *
 * @param w m weights in an arena, changed in place.
 * @returns undefined, and w untouched, where w lies in no arena, the hard limit is due, or a weight is not finite.
 */
export function proxSingleWeights(
  w: Float32Array,
  step: { k: number; lambda: number; alpha: number; mu?: number },
): SingleWeightsResult | undefined {
  const arena = arenaOf(w);
  const k = positive(step.k, "k");
  const alpha = positive(step.alpha, "alpha");
  const lambda = notNegative(step.lambda, "lambda");
  const metric = step.mu === undefined ? 1 : 1 - alpha * (lambda - notNegative(step.mu, "mu"));
  if (!arena || metric <= METRIC_FLOOR) return undefined;
  const rho = (alpha * lambda) / metric;
  const { findRoot, shrinkWeights } = uniformKernels(arena);
  const size = sampleSize(w.length);
  const omega = arena.temporarily(() =>
    findRoot(w.byteOffset, true, rho, w.length, k, arena.float32(searchRoom(size)).byteOffset, size),
  );
  if (Number.isNaN(omega)) return undefined;
  shrinkWeights(w.byteOffset, w.length, omega, 1 / metric);
  const zero = rho / omega;
  const whole = (1 + rho) / omega;
  return {
    zero,
    whole,
    before: (p) => {
      const a = Math.abs(p) * metric;
      const b = a === 0 ? 0 : Math.max(a + zero, a * (1 + rho));
      return b >= whole * (1 - RECOVERED) ? Math.max(b, whole) : b;
    },
  };
}
