import { groupValues, type PerGroup, positive } from "./per-group.ts";
import { findRoot, type RootWorkspace, shareAt, sharedRootWorkspace } from "./root.ts";

/** What defines W_k: how many groups may stay, and how groups are weighed. */
export interface Wgsef {
  /** Groups to keep; with costs, the budget K of Σ c_j u_j. Positive, need not be an integer. */
  k: number;
  /** Metric weight d_j > 0 of group j in ½Σ d_j‖θ_j‖²; 1 by default. */
  d?: PerGroup;
  /** Cost c_j > 0 of keeping group j (parameters, MACs, µs …); 1 by default. */
  c?: PerGroup;
}

export interface WgsefValue {
  value: number;
  /** Share u_j ∈ [0, 1] of group j in the budget, m numbers. */
  u: Float64Array;
  /** Pull that every unsaturated group feels, in units of √d_j; 0 when the non-zero groups fit into the budget. */
  tau: number;
  /** Number of groups with u_j = 1. */
  saturated: number;
}

/**
 * The regulariser W_k(θ) = ½·min { Σ_j d_j‖θ_j‖²/u_j : 0 ≤ u ≤ 1, Σ_j c_j u_j ≤ k } (wgsef.md 3.1) in O(m): the largest
 * convex function below "½Σ d_j‖θ_j‖² with at most k non-zero groups". Its gradient at non-zero groups is d_jθ_j/u_j.
 *
 * @param norms ‖θ_j‖₂, m numbers.
 */
export function wgsefValue(
  norms: Float64Array,
  wgsef: Wgsef,
  ws: RootWorkspace = sharedRootWorkspace(norms.length),
): WgsefValue {
  const m = norms.length;
  const k = positive(wgsef.k, "k");
  const d = groupValues(wgsef.d ?? 1, m, "d");
  const c = groupValues(wgsef.c ?? 1, m, "c");
  const slope = new Float64Array(m);
  for (let j = 0; j < m; j++) slope[j] = norms[j] * Math.sqrt(d.values[j & d.mask] / c.values[j & c.mask]);
  const eta = findRoot(slope, { values: Float64Array.of(0), mask: 0 }, c, k, ws);

  const u = new Float64Array(m);
  const tau = 1 / eta;
  let saturated = 0;
  let value = 0;
  for (let j = 0; j < m; j++) {
    u[j] = shareAt(eta, slope[j], 0);
    const cost = c.values[j & c.mask];
    if (u[j] === 1) saturated++;
    // d‖θ‖²/u is c·A²/u, and u = A/τ between the ends.
    value += cost * slope[j] * (u[j] === 1 ? slope[j] : tau * Number(slope[j] > 0));
  }
  return { value: value / 2, u, tau, saturated };
}

/**
 * The convex conjugate W_k*(y) = ½·max { Σ_j u_j‖y_j‖²/d_j : 0 ≤ u ≤ 1, Σ_j c_j u_j ≤ k }: half the sum of the k largest
 * ‖y_j‖²/d_j, or a fractional knapsack when groups have costs (wgsef.md 3.1). O(m log m).
 *
 * @param dualNorms ‖y_j‖₂, m numbers.
 */
export function wgsefConjugate(dualNorms: Float64Array, wgsef: Wgsef): number {
  const m = dualNorms.length;
  const d = groupValues(wgsef.d ?? 1, m, "d");
  const c = groupValues(wgsef.c ?? 1, m, "c");
  const gain = Float64Array.from(dualNorms, (y, j) => y ** 2 / d.values[j & d.mask]);
  const density = (j: number) => gain[j] / c.values[j & c.mask];
  const order = Uint32Array.from(gain.keys()).sort((i, j) => density(j) - density(i));
  let room = positive(wgsef.k, "k");
  let sum = 0;
  for (const j of order) {
    const cost = c.values[j & c.mask];
    sum += gain[j] * Math.min(1, room / cost);
    room -= cost;
    if (room <= 0) break;
  }
  return sum / 2;
}
