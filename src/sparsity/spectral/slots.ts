import { compose } from "../../linalg/compose.ts";
import { svd } from "../../linalg/svd.ts";
import type { Random } from "../../random.ts";

type Floats = Float32Array | Float64Array;

/** Some triplets of a layer: row i of `left` [count, outputs] and `right` [count, inputs], and valuesᵢ. */
export interface Segment {
  readonly left: Floats;
  readonly values: Floats;
  readonly right: Floats;
}

/**
 * The singular triplets of one layer, W = Σ σᵢ uᵢ vᵢᵀ, in slots (sst.md 3.5): those of the active segment train, those of
 * the resting one, which is undefined where all are active, wait.
 */
export interface Slots {
  readonly outputs: number;
  readonly inputs: number;
  readonly active: Segment;
  readonly resting: Segment | undefined;
  /** Which triplet lies in each slot, active ones first: its rank among the singular values of the last decomposition. */
  readonly ids: Int32Array;
}

/** σ by id. */
export function valuesById({ active, resting, ids }: Slots): Float64Array {
  const values = new Float64Array(ids.length);
  const count = active.values.length;
  ids.forEach((id, slot) => {
    values[id] = slot < count ? active.values[slot] : resting!.values[slot - count];
  });
  return values;
}

/**
 * Makes the triplets `chosen` (ids, as many as there are active slots) the active ones. Those that stay keep their slots;
 * the others change places with those that leave, each σ with what `companions` know of it: the optimiser's moments.
 */
export function activate(
  slots: Slots,
  chosen: readonly number[],
  companions: readonly { active: Floats; resting: Floats }[] = [],
): void {
  const { active, resting, ids, outputs, inputs } = slots;
  if (!resting) return;
  const count = active.values.length;
  const wanted = new Set(chosen);
  const entering: number[] = [];
  for (let slot = count; slot < ids.length; slot++) if (wanted.has(ids[slot])) entering.push(slot);
  for (let slot = 0; slot < count; slot++) {
    if (wanted.has(ids[slot])) continue;
    const from = entering.shift()!;
    swapRows(active.left, slot, resting.left, from - count, outputs);
    swapRows(active.right, slot, resting.right, from - count, inputs);
    swapRows(active.values, slot, resting.values, from - count, 1);
    for (const c of companions) swapRows(c.active, slot, c.resting, from - count, 1);
    [ids[slot], ids[from]] = [ids[from], ids[slot]];
  }
}

function swapRows(a: Floats, i: number, b: Floats, j: number, width: number): void {
  const row = a.slice(i * width, (i + 1) * width);
  a.set(b.subarray(j * width, (j + 1) * width), i * width);
  b.set(row, j * width);
}

/** W, row-major [outputs, inputs]. */
export function matrixOf({ active, resting, outputs, inputs }: Slots): Float64Array {
  return compose(resting ? [active, resting] : [active], outputs, inputs);
}

/** Puts the singular triplets of W [outputs, inputs] into the slots, the largest first. */
export function decomposeInto(slots: Slots, matrix: ArrayLike<number>): void {
  const { active, resting, ids, outputs, inputs } = slots;
  const { left, values, right } = svd(matrix, outputs, inputs);
  const count = active.values.length;
  active.left.set(left.subarray(0, count * outputs));
  active.values.set(values.subarray(0, count));
  active.right.set(right.subarray(0, count * inputs));
  resting?.left.set(left.subarray(count * outputs));
  resting?.values.set(values.subarray(count));
  resting?.right.set(right.subarray(count * inputs));
  ids.forEach((_, slot) => {
    ids[slot] = slot;
  });
}

/** Brings the active triplets back after a step of the optimiser: σ not below 0, vectors of length 1 (sst.md 3.2). */
export function constrain(slots: Slots, rng: Random): void {
  const { active, resting, outputs, inputs } = slots;
  for (const values of [active.values, resting?.values])
    if (values) for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] = 0;
  normalizeRows(active.left, outputs, resting?.left, rng);
  normalizeRows(active.right, inputs, resting?.right, rng);
}

/** Below this length a vector has no direction. */
const SHORTEST = 1e-12;

function normalizeRows(rows: Floats, width: number, others: Floats | undefined, rng: Random): void {
  for (let at = 0; at < rows.length; at += width) {
    let square = 0;
    for (let j = at; j < at + width; j++) square += rows[j] * rows[j];
    const length = Math.sqrt(square);
    if (length < SHORTEST) {
      redraw(rows, at, width, others, rng);
      continue;
    }
    const scale = 1 / length;
    for (let j = at; j < at + width; j++) rows[j] *= scale;
  }
}

/** A random unit vector in place of one that has vanished, orthogonal to all others as far as they leave room. */
function redraw(rows: Floats, at: number, width: number, others: Floats | undefined, rng: Random): void {
  const fresh = Float64Array.from({ length: width }, () => rng.normal());
  for (let pass = 0; pass < 2; pass++)
    for (const matrix of [rows, others])
      for (let row = 0; matrix && row < matrix.length; row += width) {
        if (matrix === rows && row === at) continue;
        let dot = 0;
        for (let j = 0; j < width; j++) dot += matrix[row + j] * fresh[j];
        for (let j = 0; j < width; j++) fresh[j] -= dot * matrix[row + j];
      }
  const length = Math.hypot(...fresh);
  for (let j = 0; j < width; j++) rows[at + j] = fresh[j] / length;
}
