import { Problem } from "../problem.ts";
import type { GroupKernels } from "./group-kernels.ts";
import { onKernels } from "./group-kernels.ts";

/** Named arrays: parameters, their gradients, or an optimiser's moments, whatever has the layout of the parameters. */
export type Arrays = Readonly<Record<string, Float32Array>>;

/**
 * How one array takes part in a partition: it is read as [outer, channels, inner] in row-major order, and group j owns
 * channel `offset + j` of it. Groups whose channel lies outside the array have no weights in it.
 *
 * Filters of a convolution [O, …]: outer 1, channels O, inner the rest. A Gemm weight [in, out] by output neuron: outer
 * in, channels out, inner 1. The reader of a flattened [C, H, W]: channels C, inner H·W·(rest).
 */
export interface GroupPart {
  parameter: string;
  outer: number;
  channels: number;
  inner: number;
  /** Channel of group 0; positive for a slice of a concatenation, negative where earlier groups live elsewhere. 0 by default. */
  offset?: number;
  /** First element of the part within the array, for tiles and flat parameter vectors. 0 by default. */
  start?: number;
}

/** The same where groups lie in no regular pattern: each element says its group, −1 where it is in none. */
export interface LabelledPart {
  parameter: string;
  labels: Int32Array;
}

/**
 * A partition of weights into `groups` disjoint groups over several arrays. A neuron's weights, bias and batch-norm
 * scale and shift are one group of four parts; channels that a residual sum couples are one group over many layers.
 */
export interface GroupPartition {
  groups: number;
  parts: readonly (GroupPart | LabelledPart)[];
  /** How many weights each group had before some that have no influence were taken out; by default those of the parts. */
  nominalSizes?: Float64Array;
}

/** Euclidean norm of every group, m numbers, summed in float64. */
export function groupNorms(
  partition: GroupPartition,
  arrays: Arrays,
  out: Float64Array = new Float64Array(partition.groups),
): Float64Array {
  const alone = areRuns(partition);
  if (!alone) out.fill(0);
  forParts(partition, [arrays], out, {
    regular: (kernels, [w], ...place) => {
      const [, , groups, inner, norms] = place;
      if (alone) kernels.runNorms(w, groups, inner, norms);
      else kernels.addSquares(w, ...place);
    },
    labelled: (labels, [w], sums) => {
      for (let i = 0; i < labels.length; i = (i + 1) | 0) if (labels[i] >= 0) sums[labels[i]] += w[i] * w[i];
    },
    finish: (kernels, sums) => {
      if (!alone) kernels.squareRoots(sums, out.length);
    },
  });
  return out;
}

/** Sum of the absolute values of every group, m numbers, in float64. */
export function groupAbsoluteSums({ groups, parts }: GroupPartition, arrays: Arrays): Float64Array {
  const sums = new Float64Array(groups);
  for (const part of parts) {
    const w = arrayOf(part, arrays);
    forEachRun(part, groups, (j, from, to) => {
      for (let i = from; i < to; i++) sums[j] += Math.abs(w[i]);
    });
  }
  return sums;
}

/** Multiplies group j by `factors[j]` in place. A factor of 0 writes exact +0, a factor of 1 touches nothing. */
export function scaleGroups(partition: GroupPartition, arrays: Arrays, factors: Float64Array): void {
  forParts(partition, [arrays], factors, {
    regular: (kernels, [w], ...place) => kernels.scale(w, ...place),
    labelled: (labels, [w]) => {
      for (let i = 0; i < labels.length; i = (i + 1) | 0) {
        const f = labels[i] < 0 ? 1 : factors[labels[i]];
        if (f === 0) w[i] = 0;
        else if (f !== 1) w[i] *= f;
      }
    },
  });
}

/** Sets group j of `arrays` to `from` + `factors[j]`·`directions`; what is in no group stays as it is. */
export function moveGroups(
  partition: GroupPartition,
  arrays: Arrays,
  from: Arrays,
  directions: Arrays,
  factors: Float64Array,
): void {
  forParts(partition, [arrays, from, directions], factors, {
    regular: (kernels, [w, start, direction], ...place) => kernels.move(w, start, direction, ...place),
    labelled: (labels, [w, start, direction]) => {
      for (let i = 0; i < labels.length; i = (i + 1) | 0)
        if (labels[i] >= 0) w[i] = start[i] + factors[labels[i]] * direction[i];
    },
  });
}

/** Sets the groups with `keep[j] === 0` to +0 in place: weights, or the moments that would revive them. */
export function zeroGroups(partition: GroupPartition, arrays: Arrays, keep: Uint8Array): void {
  scaleGroups(
    partition,
    arrays,
    Float64Array.from(keep, (kept) => (kept ? 1 : 0)),
  );
}

/** Throws a `Problem` that names a parameter which the arrays lack, or of which some weights are in two groups. */
export function requireDisjoint(
  layers: readonly { name: string; partition: GroupPartition }[],
  arrays: Arrays,
): void {
  const owners = new Map<string, Int16Array>();
  layers.forEach(({ name, partition }, layer) => {
    for (const part of partition.parts) {
      const { parameter } = part;
      if (!arrays[parameter])
        throw new Problem(`groups of "${name}": the model has no parameter "${parameter}"`);
      const owner = owners.get(parameter) ?? new Int16Array(arrays[parameter].length).fill(-1);
      owners.set(parameter, owner);
      forWeights(part, partition.groups, (i) => {
        if (owner[i] >= 0)
          throw new Problem(
            `"${name}" and "${layers[owner[i]].name}" both have weight ${i} of "${parameter}" in their groups; groups must be disjoint`,
          );
        owner[i] = layer;
      });
    }
  });
}

function forWeights(part: GroupPart | LabelledPart, groups: number, visit: (weight: number) => void): void {
  if ("labels" in part) {
    part.labels.forEach((label, i) => {
      if (label >= 0) visit(i);
    });
    return;
  }
  const [first, end] = groupRange(part, groups);
  for (let o = 0; o < part.outer; o++)
    for (let i = runStart(part, o, first); i < runStart(part, o, end); i++) visit(i);
}

/** Number of weights of every group, m numbers; with `worth` each weight of a parameter counts so much. */
export function groupSizes(
  partition: GroupPartition,
  worth: (parameter: string) => number = () => 1,
): Float64Array {
  const sizes = new Float64Array(partition.groups);
  for (const part of partition.parts) {
    const each = worth(part.parameter);
    if ("labels" in part) {
      for (const j of part.labels) if (j >= 0) sizes[j] += each;
      continue;
    }
    const [first, end] = groupRange(part, sizes.length);
    for (let j = first; j < end; j++) sizes[j] += part.outer * part.inner * each;
  }
  return sizes;
}

/** The same with those that were taken out: what means and penalties go by, so that neither jumps as weights are taken out. */
export function nominalSizes(partition: GroupPartition): Float64Array {
  return partition.nominalSizes ?? groupSizes(partition);
}

/**
 * √(mean second moment) of every group, m numbers: with Adam's v and bias correction, h_j = groupRms/√(1 − β₂ᵗ) + ε is
 * the block metric of the proximal step (wgsef.md 3.4).
 */
export function groupRms(partition: GroupPartition, secondMoments: Arrays): Float64Array {
  const sums = new Float64Array(partition.groups);
  forParts(partition, [secondMoments], sums, {
    regular: (kernels, [v], ...place) => kernels.addValues(v, ...place),
    labelled: (labels, [v], out) => {
      for (let i = 0; i < labels.length; i = (i + 1) | 0) if (labels[i] >= 0) out[labels[i]] += v[i];
    },
  });
  const sizes = nominalSizes(partition);
  return sums.map((sum, j) => Math.sqrt(sum / sizes[j]));
}

/** One partition with the groups of several, in their order. */
export function joinPartitions(partitions: readonly GroupPartition[]): GroupPartition {
  let first = 0;
  const parts = partitions.flatMap((partition) => {
    const base = first;
    first += partition.groups;
    return partition.parts.map((part): GroupPart | LabelledPart => {
      if ("labels" in part) return { ...part, labels: part.labels.map((j) => (j < 0 ? j : base + j)) };
      const offset = part.offset ?? 0;
      if (offset <= 0 && part.channels - offset <= partition.groups)
        return { ...part, offset: offset - base };
      // Channels beside the groups would fall to the neighbours.
      const labels = new Int32Array((part.start ?? 0) + part.outer * part.channels * part.inner).fill(-1);
      forEachRun(part, partition.groups, (j, from, to) => labels.fill(base + j, from, to));
      return { parameter: part.parameter, labels };
    });
  });
  return { groups: first, parts };
}

/** Visits every contiguous run [from, to) of elements that one group owns in an array, in memory order. */
export function forEachRun(
  part: GroupPart | LabelledPart,
  groups: number,
  visit: (group: number, from: number, to: number) => void,
): void {
  if ("labels" in part) {
    const { labels } = part;
    for (let from = 0, to = 1; from < labels.length; from = to++) {
      while (to < labels.length && labels[to] === labels[from]) to++;
      if (labels[from] >= 0) visit(labels[from], from, to);
    }
    return;
  }
  const [first, end] = groupRange(part, groups);
  for (let o = 0; o < part.outer; o++)
    for (let j = first, from = runStart(part, o, first); j < end; j++, from += part.inner)
      visit(j, from, from + part.inner);
}

/** The array of a part; a `Problem` when it is missing or too short. */
export function arrayOf(part: GroupPart | LabelledPart, arrays: Arrays): Float32Array {
  const array = arrays[part.parameter];
  if (!array) throw new Problem(`groups: there is no array "${part.parameter}"; check the partition's names`);
  const labelled = "labels" in part;
  const needed = labelled ? part.labels.length : (part.start ?? 0) + part.outer * part.channels * part.inner;
  if (array.length < needed) {
    const shape = labelled ? "" : ` [${part.outer}, ${part.channels}, ${part.inner}]`;
    throw new Problem(
      `groups: "${part.parameter}" has ${array.length} elements, its part${shape} needs ${needed}`,
    );
  }
  return array;
}

function groupRange(part: GroupPart, groups: number): [first: number, end: number] {
  const offset = part.offset ?? 0;
  return [Math.max(0, -offset), Math.min(groups, part.channels - offset)];
}

function runStart(part: GroupPart, outer: number, group: number): number {
  return (part.start ?? 0) + (outer * part.channels + (part.offset ?? 0) + group) * part.inner;
}

/** Whether the groups are runs behind one another in one array, and nothing else. */
function areRuns({ groups, parts: [part, ...others] }: GroupPartition): boolean {
  if (part === undefined || "labels" in part || others.length > 0) return false;
  const [first, end] = groupRange(part, groups);
  return part.outer === 1 && part.inner > 1 && first === 0 && end === groups;
}

/** What to do with the parts of a partition. */
interface PartLoops {
  /** Kernels get the addresses of the first group's first element in each array, then the part's place (`GroupKernels`). */
  regular(
    kernels: GroupKernels,
    addresses: readonly number[],
    outer: number,
    stride: number,
    groups: number,
    inner: number,
    numbers: number,
  ): void;
  labelled(labels: Int32Array, arrays: readonly Float32Array[], numbers: Float64Array): void;
  finish?(kernels: GroupKernels, numbers: number): void;
}

/** Visits every part with its array in each of the sets, and with m numbers of the groups, which may be written. */
function forParts(
  { groups, parts }: GroupPartition,
  sets: readonly Arrays[],
  numbers: Float64Array,
  { regular, labelled, finish }: PartLoops,
): void {
  const arrays = parts.map((part) => sets.map((set) => arrayOf(part, set)));
  onKernels(arrays.flat(), numbers, (kernels, near, beside) => {
    parts.forEach((part, i) => {
      const here = arrays[i].map(near);
      if ("labels" in part) {
        labelled(part.labels, here, beside);
        return;
      }
      const [first, end] = groupRange(part, groups);
      if (end <= first) return;
      const at = 4 * runStart(part, 0, first);
      const { outer, channels, inner } = part;
      const addresses = here.map((a) => a.byteOffset + at);
      regular(kernels, addresses, outer, channels * inner, end - first, inner, beside.byteOffset + 8 * first);
    });
    finish?.(kernels, beside.byteOffset);
  });
}
