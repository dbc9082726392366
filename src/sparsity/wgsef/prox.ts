import type { Arena } from "../../kernels/arena.ts";
import { type Arrays, type GroupPartition, groupNorms, scaleGroups } from "../groups.ts";
import { type GroupValues, groupValues, notNegative, type PerGroup, positive } from "./per-group.ts";
import {
  findRoot,
  ROOT_BYTES,
  type RootWorkspace,
  rootWorkspace,
  sharedRootWorkspace,
  sharesAndFactors,
} from "./root.ts";
import type { Wgsef } from "./value.ts";

/** A proximal step: min over θ of λ·W_k(θ) + 1/(2α)·Σ_j h_j‖θ_j − t_j‖². */
export interface ProxStep extends Wgsef {
  /** Regularisation strength λ ≥ 0, relative to the mean loss. */
  lambda: number;
  /** The optimiser's current step size α > 0. */
  alpha: number;
  /** Block metric h_j > 0 of an adaptive optimiser (wgsef.md 3.4); 1 by default. */
  h?: PerGroup;
}

export interface ProxResult {
  /** The prox multiplies group j by `factors[j]`: exactly 0 removes it. m numbers. */
  factors: Float64Array;
  /** Share of group j in the budget, m numbers. */
  u: Float64Array;
  /** The root behind the shares; Infinity when every non-zero group fits into the budget. */
  omega: number;
}

/** Memory of the prox. Results live in it: they are overwritten by the next call with the same workspace. */
export interface ProxWorkspace {
  root: RootWorkspace;
  norms: Float64Array;
  /** The point and metric that the debiased prox hands to the plain one. */
  moved: Float64Array;
  metric: Float64Array;
  factors: Float64Array;
  u: Float64Array;
}

/** Bytes that a workspace takes in an arena for each group, and at most those of sixteen groups more. */
export const PROX_BYTES = ROOT_BYTES + 8 * 5;

/**
 * A workspace for m groups.
 *
 * @param arena Where it is to lie: in that of the weights, norms and factors need no copies. By default, what lasts no
 * longer than a search is shared by all workspaces.
 */
export function proxWorkspace(m: number, arena?: Arena): ProxWorkspace {
  const numbers = () => arena?.float64(m) ?? new Float64Array(m);
  return {
    root: arena ? rootWorkspace(m, arena) : sharedRootWorkspace(m),
    norms: numbers(),
    moved: numbers(),
    metric: numbers(),
    factors: numbers(),
    u: numbers(),
  };
}

/**
 * The proximal operator of αλW_k in closed form (wgsef.md 3.2), O(m): each group shrinks by its own factor. Groups below a
 * common threshold become exactly 0, those above another feel plain weight decay, those between are soft-thresholded.
 *
 * @param step.norms ‖t_j‖₂, m numbers.
 */
export function proxFactors(
  step: ProxStep & { norms: Float64Array },
  ws: ProxWorkspace = proxWorkspace(step.norms.length),
): ProxResult {
  const { norms } = step;
  const m = norms.length;
  const k = positive(step.k, "k");
  const alpha = positive(step.alpha, "alpha");
  const d = groupValues(step.d ?? 1, m, "d");
  const c = groupValues(step.c ?? 1, m, "c");
  const h = groupValues(step.h ?? 1, m, "h");
  const lambda = notNegative(step.lambda, "lambda");
  const { factors, u } = ws;
  if (u.length !== m) throw new Error(`a workspace for ${u.length} groups cannot serve ${m}`);

  const weighed = (d.mask | c.mask) !== 0;
  // One weight for all groups only rescales ω, so the norms themselves serve as slopes.
  const unit = weighed ? 1 : Math.sqrt(d.values[0] / c.values[0]);
  const slope = weighed ? ws.root.slope.subarray(0, m) : norms;
  if (weighed)
    for (let j = 0; j < m; j++) slope[j] = norms[j] * Math.sqrt(d.values[j & d.mask] / c.values[j & c.mask]);
  const shared = (d.mask | h.mask) === 0;
  const rhoAt = (j: number) => (alpha * lambda * d.values[j & d.mask]) / h.values[j & h.mask];
  if (!shared) for (let j = 0; j < m; j++) ws.root.rho[j] = rhoAt(j);
  const rho: GroupValues = shared
    ? { values: Float64Array.of(rhoAt(0)), mask: 0 }
    : { values: ws.root.rho, mask: -1 };

  const omega = findRoot(slope, rho, c, k, ws.root);
  sharesAndFactors(omega, slope, rho, ws.root, ws);
  return { factors, u, omega: omega / unit };
}

/**
 * The whole proximal step on weights: norms, factors, scaling in place. Apply it after the optimiser's step, with the
 * step size of that step; gradient clipping comes before.
 */
export function applyProx(
  partition: GroupPartition,
  arrays: Arrays,
  step: ProxStep,
  ws: ProxWorkspace = proxWorkspace(partition.groups),
): ProxResult {
  const norms = groupNorms(partition, arrays, ws.norms);
  const result = proxFactors({ ...step, norms }, ws);
  scaleGroups(partition, arrays, result.factors);
  return result;
}
