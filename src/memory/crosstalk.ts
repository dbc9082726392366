import { ANYWHERE, cellNumbers, kernelsFor, type Room } from "./room.ts";

/**
 * What a typical input would give each cell, from counts alone (`specs/sparsey.md` 3.11). Popular cells look familiar
 * to everything; subtracting this baseline is what keeps them apart.
 */
export interface Crosstalk {
  /** n: learning presentations. */
  presentations: number;
  /** c_j: how often input j was active in them. */
  readonly inputCounts: Uint32Array;
  /** T = Σ c_j. */
  total: number;
  /** C_i = Σ_j c_j·U_ji. */
  readonly weighted: Float64Array;
  /** D_i = Σ_j U_ji. */
  readonly fanIn: Int32Array;
}

export function createCrosstalk(inputs: number, cells: number, room: Room = ANYWHERE): Crosstalk {
  return {
    presentations: 0,
    inputCounts: new Uint32Array(inputs),
    total: 0,
    weighted: cellNumbers(room, cells),
    fanIn: room.int32(cells),
  };
}

/** What b_i = seen·C_i + prior·D_i is made with, for `priorItems` n₀: b_i = [n·C_i/T + n₀·D_i/N]/(n + n₀). */
function factors({ presentations, inputCounts, total }: Crosstalk, priorItems: number) {
  if (total === 0) return { seen: 0, prior: 0 };
  return {
    seen: presentations / total / (presentations + priorItems),
    prior: priorItems / inputCounts.length / (presentations + priorItems),
  };
}

/** b of one cell. */
export function baseline(crosstalk: Crosstalk, priorItems: number, cell: number): number {
  const { seen, prior } = factors(crosstalk, priorItems);
  return seen * crosstalk.weighted[cell] + prior * crosstalk.fanIn[cell];
}

/** U_i = max(0, (share − b)/(1 − b)); 0 for a cell that knows every input. */
export function corrected(share: number, baseline: number): number {
  return baseline >= 1 - 1e-9 ? 0 : Math.max(0, (share - baseline) / (1 - baseline));
}

/** The corrected evidence of every cell into `out`, with shares min(1, scale·sum). */
export function correctedEvidence(
  crosstalk: Crosstalk,
  priorItems: number,
  sums: Float64Array,
  scale: number,
  out: Float64Array,
): void {
  const { weighted, fanIn } = crosstalk;
  const kernels = kernelsFor(weighted);
  if (kernels && sums.buffer === weighted.buffer && out.buffer === weighted.buffer) {
    const { seen, prior } = factors(crosstalk, priorItems);
    const [s, w, f, o] = [sums, weighted, fanIn, out].map(({ byteOffset }) => byteOffset);
    kernels.corrected(s, w, f, o, out.length, scale, seen, prior);
    return;
  }
  for (let i = 0; i < out.length; i++) {
    const share = Math.min(1, sums[i] * scale);
    out[i] = share > 0 ? corrected(share, baseline(crosstalk, priorItems, i)) : 0;
  }
}

/** Counts one presentation of `active`; `sums` are the cells' support u before anything is learnt from it. */
export function countPresentation(crosstalk: Crosstalk, active: ArrayLike<number>, sums: Float64Array): void {
  const { inputCounts, weighted } = crosstalk;
  crosstalk.presentations++;
  crosstalk.total += active.length;
  for (let a = 0; a < active.length; a++) inputCounts[active[a]]++;
  const kernels = kernelsFor(weighted);
  if (kernels && sums.buffer === weighted.buffer)
    kernels.add(sums.byteOffset, weighted.byteOffset, weighted.length);
  else for (let i = 0; i < weighted.length; i++) weighted[i] += sums[i];
}

/** Input `j` now reaches cell `i`. */
export function countSynapse({ inputCounts, weighted, fanIn }: Crosstalk, j: number, i: number): void {
  weighted[i] += inputCounts[j];
  fanIn[i]++;
}

/** Counts as they must be for these weights and input counts: nothing but the two needs to be stored. */
export function recountSynapses(crosstalk: Crosstalk, connected: (j: number, i: number) => boolean): void {
  crosstalk.total = crosstalk.inputCounts.reduce((sum, count) => sum + count, 0);
  crosstalk.weighted.fill(0);
  crosstalk.fanIn.fill(0);
  for (let j = 0; j < crosstalk.inputCounts.length; j++)
    for (let i = 0; i < crosstalk.fanIn.length; i++) if (connected(j, i)) countSynapse(crosstalk, j, i);
}
