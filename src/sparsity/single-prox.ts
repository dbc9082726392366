import type { GroupPenalty, GroupProxStep, Thresholds } from "./group-prox.ts";
import type { Arrays, GroupPartition } from "./groups.ts";
import { arrayOf } from "./groups.ts";
import { proxSingleWeights } from "./wgsef/single-weights.ts";

/** A proximal step that may decline: undefined, and nothing has changed. */
export type SinglesProx = (arrays: Arrays, step: GroupProxStep) => Thresholds | undefined;

/**
 * The proximal step of the envelopes where each weight of one array is a group, many times faster than by norms and
 * factors; undefined for other partitions and penalties. Declines steps in which groups differ by more than their weight.
 */
export function createSinglesProx(penalty: GroupPenalty, partition: GroupPartition): SinglesProx | undefined {
  const [part, ...others] = partition.parts;
  const m = partition.groups;
  if (!(penalty === "wgsef" || penalty === "wgsef-plain") || others.length > 0) return undefined;
  if (
    part === undefined ||
    "labels" in part ||
    part.outer * part.inner !== 1 ||
    part.offset ||
    part.channels !== m
  )
    return undefined;
  const { start = 0 } = part;
  return (arrays, { k, c, d, lambda, alpha, mu, metric, spared }) => {
    if (c || d || metric || spared?.includes(1)) return undefined;
    const weights = arrayOf(part, arrays).subarray(start, start + m);
    const result = proxSingleWeights(weights, {
      k,
      lambda,
      alpha,
      mu: penalty === "wgsef" ? mu : undefined,
    });
    if (!result) return undefined;
    const { zero, whole, before } = result;
    return { zero: () => zero, whole: () => whole, norms: () => Float64Array.from(weights, before) };
  };
}
