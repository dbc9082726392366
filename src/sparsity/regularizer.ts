import type { GroupPenalty, GroupProxStep, Thresholds } from "./group-prox.ts";
import { createGroupProx, decayFactors } from "./group-prox.ts";
import type { Arrays, GroupPartition } from "./groups.ts";
import { arrayOf, forEachRun, groupNorms, nominalSizes, scaleGroups } from "./groups.ts";
import { createSinglesProx } from "./single-prox.ts";
import type { Certificate } from "./wgsef/certificate.ts";
import { fenchelGap } from "./wgsef/certificate.ts";
import { wgsefValue } from "./wgsef/value.ts";

/** A group that a proximal step left alive below the norm from which it would be kept whole. */
export interface UndecidedGroup {
  group: number;
  /** Its norm before the step. */
  norm: number;
  /** The step would have made it zero up to this norm, and left it to weight decay alone from `whole` on, if at all. */
  zero: number;
  whole: number | null;
}

/** A penalty on the groups of one partition: its proximal step, its gradient, and what can be said about both. */
export interface Regularizer {
  /** ‖·‖ of what each group lives by, as it is now, m numbers; overwritten by the next call. */
  norms(arrays: Arrays): Float64Array;
  /** One proximal step, in place. */
  prox(arrays: Arrays, step: GroupProxStep): void;
  /** Weight decay alone, in place. */
  decay(arrays: Arrays, step: Pick<GroupProxStep, "alpha" | "mu" | "metric">): void;
  /** Factor c_j of the penalty's gradient c_jθ_j at the weights, weight decay included; undefined where it has none. */
  pull?(arrays: Arrays, step: GroupProxStep): Float64Array;
  /** Why groups are still alive: those between the thresholds of the last proximal step, smallest norm first. */
  undecided(): UndecidedGroup[];
  /** How far weights are from stationary, where −∇loss is `descent`; undefined where the penalty has no certificate. */
  certificate?(arrays: Arrays, descent: Arrays, step: GroupProxStep): Certificate;
}

/**
 * @param gates the part of each group that the penalty acts on and that decides whether the group lives, such as the
 *   scales of batch norms in network slimming; the whole group where absent.
 */
export function createRegularizer(
  penalty: GroupPenalty,
  partition: GroupPartition,
  gates: GroupPartition = partition,
): Regularizer {
  const prox = createGroupProx(penalty, gates);
  const singles = createSinglesProx(penalty, gates);
  const scale = nominalSizes(gates).map(Math.sqrt);
  const now = new Float64Array(partition.groups);
  const before = new Float64Array(partition.groups);
  let thresholds: Thresholds | undefined;
  const decay: Regularizer["decay"] = (arrays, { alpha, mu, metric }) => {
    if (metric === undefined || metric instanceof Float64Array)
      scaleGroups(partition, arrays, decayFactors({ alpha, mu, h: metric }, partition.groups));
    else decayInMetric(partition, arrays, metric, alpha * mu);
  };
  const envelope = penalty === "wgsef" || penalty === "wgsef-plain";
  const biasOf = ({ lambda, mu }: GroupProxStep) => (penalty === "wgsef" ? lambda - mu : 0);
  return {
    norms: (arrays) => groupNorms(gates, arrays, now),
    prox: (arrays, step) => {
      if (gates !== partition) decay(arrays, step);
      const own = gates === partition ? step : { ...step, mu: 0 };
      thresholds = singles?.(arrays, own) ?? prox(arrays, groupNorms(gates, arrays, before), own);
    },
    decay,
    ...(envelope && {
      pull: (arrays, step) => {
        const { u } = wgsefValue(groupNorms(partition, arrays, now), step);
        return u.map((share, j) => (share === 0 ? 0 : dOf(step, j) * (step.lambda / share - biasOf(step))));
      },
      certificate: (arrays, descent, step) => {
        const m = partition.groups;
        const squares = new Float64Array(m);
        let inner = 0;
        const bias = biasOf(step);
        for (const part of partition.parts) {
          const w = arrayOf(part, arrays);
          const g = arrayOf(part, descent);
          forEachRun(part, m, (j, from, to) => {
            const shift = bias * dOf(step, j);
            for (let i = from; i < to; i++) {
              const y = (g[i] + shift * w[i]) / step.lambda;
              squares[j] += y * y;
              inner += y * w[i];
            }
          });
        }
        return fenchelGap(groupNorms(partition, arrays, now), squares.map(Math.sqrt), inner, step);
      },
    }),
    ...(penalty === "group-lasso" && {
      pull: (arrays, { lambda, mu }) =>
        groupNorms(partition, arrays, now).map((norm, j) =>
          norm === 0 ? 0 : (lambda * scale[j]) / norm + mu,
        ),
    }),
    undecided: () => {
      if (!thresholds) return [];
      const norms = thresholds.norms?.() ?? before;
      const found: UndecidedGroup[] = [];
      for (let j = 0; j < norms.length; j++) {
        const [zero, whole] = [thresholds.zero(j), thresholds.whole(j)];
        if (norms[j] > zero && norms[j] < whole)
          found.push({
            group: j,
            norm: norms[j],
            zero,
            whole: whole < Number.POSITIVE_INFINITY ? whole : null,
          });
      }
      return found.sort((a, b) => a.norm - b.norm);
    },
  };
}

function dOf({ d }: GroupProxStep, j: number): number {
  return d ? d[j] : 1;
}

/** Weight decay in a metric of single weights: w_i·h_i/(h_i + αμ). */
function decayInMetric(partition: GroupPartition, arrays: Arrays, metric: Arrays, strength: number): void {
  for (const part of partition.parts) {
    const w = arrayOf(part, arrays);
    const h = arrayOf(part, metric);
    forEachRun(part, partition.groups, (_, from, to) => {
      for (let i = from; i < to; i++) w[i] *= h[i] / (h[i] + strength);
    });
  }
}
