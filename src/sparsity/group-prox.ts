import { Problem } from "../problem.ts";
import type { Arrays, GroupPartition } from "./groups.ts";
import { arrayOf, forEachRun, groupNorms, nominalSizes, scaleGroups } from "./groups.ts";
import { debiasedProxFactors } from "./wgsef/debiased.ts";
import { applyPerWeightProx } from "./wgsef/per-weight.ts";
import type { ProxResult } from "./wgsef/prox.ts";
import { proxFactors, proxWorkspace } from "./wgsef/prox.ts";

/** One proximal step on the groups of a layer. */
export interface GroupProxStep {
  /** Groups that may stay; with costs, what they may cost together. */
  k: number;
  /** Costs and metric weights of the groups; 1 by default. */
  c?: Float64Array;
  d?: Float64Array;
  /** Regularisation strength. */
  lambda: number;
  /** Step size of the optimiser's step just taken. */
  alpha: number;
  /** Weight decay that remains on kept groups. */
  mu: number;
  /** Metric of an adaptive optimiser: a number for each group, or arrays with the weights' layout; 1 by default. */
  metric?: Float64Array | Arrays;
  /** Groups that the penalty must leave alone: 1 or 0 each. */
  spared?: Uint8Array;
}

/** Where the fate of a group changes in a proximal step, as norms of the point before it. */
export interface Thresholds {
  /** Up to this norm group j becomes zero. */
  zero(j: number): number;
  /** From this norm on it feels weight decay alone. */
  whole(j: number): number;
  /** The norms before the step, from the weights as they are now, where the step did without them. */
  norms?(): Float64Array;
}

/**
 * Moves the weights of a partition by one proximal step, in place.
 *
 * @param norms the Euclidean norm of each group before the step.
 * @returns the thresholds of this step, where the penalty decides by the groups' norms.
 */
export type GroupProx = (arrays: Arrays, norms: Float64Array, step: GroupProxStep) => Thresholds | undefined;

/** What the controller can push groups towards zero with. */
export const GROUP_PENALTIES = [
  "wgsef",
  "wgsef-plain",
  "group-lasso",
  "sparse-group-lasso",
  "l1",
  "l0",
  "none",
] as const;
export type GroupPenalty = (typeof GROUP_PENALTIES)[number];

/** Share of the ℓ1 norm in the sparse group lasso's penalty. */
const L1_SHARE = 0.5;

/**
 * - `wgsef`: the debiased envelope (wgsef.md 3.5): kept groups feel weight decay μ alone;
 * - `wgsef-plain`: the convex envelope as published: kept groups shrink with λ;
 * - `group-lasso`: λ√|s_j|·‖θ_j‖, which knows nothing of k, and weight decay μ;
 * - `sparse-group-lasso`: half of that and half of `l1` (Simon et al. 2013);
 * - `l1`: λ‖θ‖₁, which knows nothing of groups, and weight decay μ;
 * - `l0`: no more than k groups at any time: the largest stay (iterative hard thresholding);
 * - `none`: weight decay μ alone, so that the cut at the end of selection is magnitude pruning.
 */
export function createGroupProx(penalty: GroupPenalty, partition: GroupPartition): GroupProx {
  const m = partition.groups;
  const ws = proxWorkspace(m);
  const scale = nominalSizes(partition).map(Math.sqrt);
  const byFactor =
    (factorsOf: (step: FactorStep) => Factors): GroupProx =>
    (arrays, norms, step) => {
      const { k, c, d, lambda, alpha, mu } = step;
      // Named one by one: spreading an object takes longer than all else that a small layer needs.
      const { factors, thresholds } = factorsOf({
        k,
        c,
        d,
        lambda,
        alpha,
        mu,
        h: blockMetric(penalty, step),
        norms,
      });
      spare(factors, step);
      scaleGroups(partition, arrays, factors);
      return thresholds;
    };
  const envelope = (debiased: boolean): GroupProx => {
    const inBlocks = byFactor((step) => {
      const prox = debiased ? debiasedProxFactors : proxFactors;
      const result = prox(step, ws);
      return { factors: result.factors, thresholds: envelopeThresholds(step, result, debiased) };
    });
    return (arrays, norms, step) => {
      const { metric, spared, mu } = step;
      if (metric === undefined || metric instanceof Float64Array) return inBlocks(arrays, norms, step);
      if (step.c || spared?.includes(1))
        throw new Problem(
          "wgsef: the metric of single weights has no closed form with costs or spared groups; use the block metric",
        );
      applyPerWeightProx(partition, arrays, metric, { ...step, debiased: debiased ? { mu } : undefined });
      return undefined;
    };
  };
  switch (penalty) {
    case "wgsef":
      return envelope(true);
    case "wgsef-plain":
      return envelope(false);
    case "l0":
      // Far beyond αλ = h the debiased envelope is the hard threshold.
      return byFactor((step) => ({
        factors: debiasedProxFactors({ ...step, lambda: Number.MAX_VALUE }, ws).factors,
        thresholds: undefined,
      }));
    case "group-lasso":
      return byFactor((step) => groupLasso(step, scale, 1, ws.factors));
    case "none":
      return byFactor((step) => ({ factors: decayFactors(step, m, ws.factors), thresholds: undefined }));
    case "l1":
    case "sparse-group-lasso": {
      const share = penalty === "l1" ? 1 : L1_SHARE;
      const toGroups = byFactor((step) => groupLasso(step, scale, 1 - share, ws.factors));
      return (arrays, norms, step) => {
        softThreshold(partition, arrays, step, share * step.lambda, blockMetric(penalty, step));
        toGroups(arrays, groupNorms(partition, arrays, norms), step);
        return undefined;
      };
    }
    default:
      throw new Problem(`unknown group penalty "${penalty as string}"; known: ${GROUP_PENALTIES.join(", ")}`);
  }
}

type FactorStep = Omit<GroupProxStep, "metric" | "spared"> & { norms: Float64Array; h?: Float64Array };

interface Factors {
  factors: Float64Array;
  thresholds: Thresholds | undefined;
}

function blockMetric(penalty: GroupPenalty, { metric }: GroupProxStep): Float64Array | undefined {
  if (metric === undefined || metric instanceof Float64Array) return metric;
  throw new Problem(
    `${penalty} has no exact proximal step in the metric of single weights; use the block metric, or wgsef`,
  );
}

/** Weight decay μ alone: the prox of ½μ‖θ‖² in the metric h. */
export function decayFactors(
  { alpha, mu, h }: { alpha: number; mu: number; h?: Float64Array },
  groups: number,
  out: Float64Array = new Float64Array(groups),
): Float64Array {
  for (let j = 0; j < groups; j++) out[j] = h ? h[j] / (h[j] + alpha * mu) : 1 / (1 + alpha * mu);
  return out;
}

function spare(factors: Float64Array, step: GroupProxStep): void {
  const { alpha, mu, metric, spared } = step;
  if (!spared?.includes(1)) return;
  const decay = decayFactors({ alpha, mu, h: metric as Float64Array | undefined }, factors.length);
  for (let j = 0; j < factors.length; j++) if (spared[j]) factors[j] = decay[j];
}

/** The soft threshold λ·share·√|s_j| of every group's norm, then weight decay. */
function groupLasso(step: FactorStep, scale: Float64Array, share: number, factors: Float64Array): Factors {
  const { norms, lambda, alpha, h } = step;
  const zero = (j: number) => (alpha * lambda * share * scale[j]) / (h ? h[j] : 1);
  decayFactors(step, norms.length, factors);
  for (let j = 0; j < norms.length; j++) {
    const threshold = zero(j);
    factors[j] *= norms[j] <= threshold && lambda > 0 ? 0 : 1 - threshold / (norms[j] || 1);
  }
  return { factors, thresholds: { zero, whole: () => Number.POSITIVE_INFINITY } };
}

/** sign(w)·max(0, |w| − αλ/h_j): the prox of αλ‖w‖₁. */
function softThreshold(
  partition: GroupPartition,
  arrays: Arrays,
  { alpha, spared }: GroupProxStep,
  lambda: number,
  h: Float64Array | undefined,
): void {
  for (const part of partition.parts) {
    const w = arrayOf(part, arrays);
    forEachRun(part, partition.groups, (j, from, to) => {
      if (spared?.[j]) return;
      const threshold = (alpha * lambda) / (h ? h[j] : 1);
      for (let i = from; i < to; i++)
        w[i] = Math.abs(w[i]) <= threshold ? 0 : w[i] - Math.sign(w[i]) * threshold;
    });
  }
}

/** From ωA_j = ρ_j and ωA_j = 1 + ρ_j (wgsef.md 3.2), at the longer point and shifted metric of 3.5 where it is debiased. */
function envelopeThresholds(
  { alpha, lambda, mu, c, d, h, norms }: FactorStep,
  { omega, factors }: ProxResult,
  debiased: boolean,
): Thresholds {
  if (Number.isNaN(omega)) {
    // The hard limit has one threshold, the smallest group that it kept.
    let least = Number.POSITIVE_INFINITY;
    for (let j = 0; j < norms.length; j++) if (factors[j] !== 0 && norms[j] < least) least = norms[j];
    return { zero: () => least, whole: () => least };
  }
  const decay = debiased ? mu : lambda;
  const at = (numerator: (hj: number, dj: number) => number) => (j: number) =>
    (numerator(h ? h[j] : 1, d ? d[j] : 1) * Math.sqrt((c ? c[j] : 1) / (d ? d[j] : 1))) /
    ((h ? h[j] : 1) * omega);
  return {
    zero: at((_, dj) => alpha * lambda * dj),
    whole: at((hj, dj) => hj + alpha * decay * dj),
  };
}
