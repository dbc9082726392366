import { Problem } from "../problem.ts";

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
}

/** Euclidean norm of every group, m numbers, summed in float64. */
export function groupNorms(
  partition: GroupPartition,
  arrays: Arrays,
  out: Float64Array = new Float64Array(partition.groups),
): Float64Array {
  out.fill(0);
  for (const part of partition.parts) {
    const w = arrayOf(part, arrays);
    if ("labels" in part) addLabelledSquares(part.labels, w, out);
    else addSquares(part, w, out);
  }
  for (let j = 0; j < out.length; j++) out[j] = Math.sqrt(out[j]);
  return out;
}

/** Multiplies group j by `factors[j]` in place. A factor of 0 writes exact +0, a factor of 1 touches nothing. */
export function scaleGroups(partition: GroupPartition, arrays: Arrays, factors: Float64Array): void {
  for (const part of partition.parts) {
    const w = arrayOf(part, arrays);
    if ("labels" in part) scaleLabelled(part.labels, w, factors);
    else scalePart(part, w, factors);
  }
}

/** Sets the groups with `keep[j] === 0` to +0 in place: weights, or the moments that would revive them. */
export function zeroGroups(partition: GroupPartition, arrays: Arrays, keep: Uint8Array): void {
  scaleGroups(
    partition,
    arrays,
    Float64Array.from(keep, (kept) => (kept ? 1 : 0)),
  );
}

/** Number of weights of every group, m numbers. */
export function groupSizes(partition: GroupPartition): Float64Array {
  const sizes = new Float64Array(partition.groups);
  for (const part of partition.parts) {
    if ("labels" in part) {
      for (const j of part.labels) if (j >= 0) sizes[j]++;
      continue;
    }
    const [first, end] = groupRange(part, sizes.length);
    for (let j = first; j < end; j++) sizes[j] += part.outer * part.inner;
  }
  return sizes;
}

/**
 * √(mean second moment) of every group, m numbers: with Adam's v and bias correction, h_j = groupRms/√(1 − β₂ᵗ) + ε is
 * the block metric of the proximal step (wgsef.md 3.4).
 */
export function groupRms(partition: GroupPartition, secondMoments: Arrays): Float64Array {
  const sizes = groupSizes(partition);
  const sums = new Float64Array(partition.groups);
  for (const part of partition.parts) {
    const array = arrayOf(part, secondMoments);
    forEachRun(part, sums.length, (j, from, to) => {
      for (let i = from; i < to; i++) sums[j] += array[i];
    });
  }
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

// The loops below run over all weights at every optimiser step. `| 0` tells the compiler that indices stay int32;
// eight elements of a run, or one element of four rows, in a round hide latencies. Together about twice as fast as plain
// loops.

function addSquares(part: GroupPart, w: Float32Array, out: Float64Array): void {
  const [first, end] = groupRange(part, out.length);
  const { outer, channels, inner } = part;
  let o = 0;
  if (inner === 1)
    for (; o + 4 <= outer; o += 4) addSquaresOfRows(w, runStart(part, o, first), channels, out, first, end);
  for (; o < outer; o++) addSquaresOfRuns(w, runStart(part, o, first), inner, out, first, end);
}

/** Four rows of runs of one element, `stride` apart. */
function addSquaresOfRows(
  w: Float32Array,
  start: number,
  stride: number,
  out: Float64Array,
  first: number,
  end: number,
): void {
  const second = (start + stride) | 0;
  const third = (second + stride) | 0;
  const fourth = (third + stride) | 0;
  for (let j = first | 0, i = 0; j < end; j = (j + 1) | 0, i = (i + 1) | 0) {
    const w0 = w[(start + i) | 0];
    const w1 = w[(second + i) | 0];
    const w2 = w[(third + i) | 0];
    const w3 = w[(fourth + i) | 0];
    out[j] += w0 * w0 + w1 * w1 + (w2 * w2 + w3 * w3);
  }
}

function addSquaresOfRuns(
  w: Float32Array,
  start: number,
  inner: number,
  out: Float64Array,
  first: number,
  end: number,
): void {
  let i = start | 0;
  for (let j = first | 0; j < end; j = (j + 1) | 0) {
    const to = (i + inner) | 0;
    const lastBlock = (to - 8) | 0;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (; i <= lastBlock; i = (i + 8) | 0) {
      const w0 = w[i];
      const w1 = w[(i + 1) | 0];
      const w2 = w[(i + 2) | 0];
      const w3 = w[(i + 3) | 0];
      const w4 = w[(i + 4) | 0];
      const w5 = w[(i + 5) | 0];
      const w6 = w[(i + 6) | 0];
      const w7 = w[(i + 7) | 0];
      s0 += w0 * w0 + w4 * w4;
      s1 += w1 * w1 + w5 * w5;
      s2 += w2 * w2 + w6 * w6;
      s3 += w3 * w3 + w7 * w7;
    }
    for (; i < to; i = (i + 1) | 0) s0 += w[i] * w[i];
    out[j] += s0 + s1 + (s2 + s3);
  }
}

function addLabelledSquares(labels: Int32Array, w: Float32Array, out: Float64Array): void {
  for (let i = 0; i < labels.length; i = (i + 1) | 0) if (labels[i] >= 0) out[labels[i]] += w[i] * w[i];
}

function scaleLabelled(labels: Int32Array, w: Float32Array, factors: Float64Array): void {
  for (let i = 0; i < labels.length; i = (i + 1) | 0) {
    const f = labels[i] < 0 ? 1 : factors[labels[i]];
    if (f === 0) w[i] = 0;
    else if (f !== 1) w[i] *= f;
  }
}

function scalePart(part: GroupPart, w: Float32Array, factors: Float64Array): void {
  const [first, end] = groupRange(part, factors.length);
  const { outer, channels, inner } = part;
  let o = 0;
  if (inner === 1)
    for (; o + 4 <= outer; o += 4) scaleRows(w, runStart(part, o, first), channels, factors, first, end);
  for (; o < outer; o++) scaleRuns(w, runStart(part, o, first), inner, factors, first, end);
}

function scaleRows(
  w: Float32Array,
  start: number,
  stride: number,
  factors: Float64Array,
  first: number,
  end: number,
): void {
  const second = (start + stride) | 0;
  const third = (second + stride) | 0;
  const fourth = (third + stride) | 0;
  for (let j = first | 0, i = 0; j < end; j = (j + 1) | 0, i = (i + 1) | 0) {
    const f = factors[j];
    if (f === 1) continue;
    if (f === 0) {
      w[(start + i) | 0] = 0;
      w[(second + i) | 0] = 0;
      w[(third + i) | 0] = 0;
      w[(fourth + i) | 0] = 0;
    } else {
      w[(start + i) | 0] *= f;
      w[(second + i) | 0] *= f;
      w[(third + i) | 0] *= f;
      w[(fourth + i) | 0] *= f;
    }
  }
}

function scaleRuns(
  w: Float32Array,
  start: number,
  inner: number,
  factors: Float64Array,
  first: number,
  end: number,
): void {
  let i = start | 0;
  for (let j = first | 0; j < end; j = (j + 1) | 0) {
    const to = (i + inner) | 0;
    const f = factors[j];
    if (f === 1) i = to;
    else if (f === 0) for (; i < to; i = (i + 1) | 0) w[i] = 0;
    else {
      const lastBlock = (to - 8) | 0;
      for (; i <= lastBlock; i = (i + 8) | 0) {
        const w0 = w[i] * f;
        const w1 = w[(i + 1) | 0] * f;
        const w2 = w[(i + 2) | 0] * f;
        const w3 = w[(i + 3) | 0] * f;
        const w4 = w[(i + 4) | 0] * f;
        const w5 = w[(i + 5) | 0] * f;
        const w6 = w[(i + 6) | 0] * f;
        const w7 = w[(i + 7) | 0] * f;
        w[i] = w0;
        w[(i + 1) | 0] = w1;
        w[(i + 2) | 0] = w2;
        w[(i + 3) | 0] = w3;
        w[(i + 4) | 0] = w4;
        w[(i + 5) | 0] = w5;
        w[(i + 6) | 0] = w6;
        w[(i + 7) | 0] = w7;
      }
      for (; i < to; i = (i + 1) | 0) w[i] *= f;
    }
  }
}
