import { Problem } from "../problem.ts";
import { type BitMatrix, createBitMatrix, getBit, setBit } from "./bit-matrix.ts";

/**
 * Class nodes that learn a code in one shot (`specs/sparsey.md` 3.10): a weight of one bit from each cell, and how often
 * each cell was active for each class. Weights of cells that are frozen stay as they are; counts go on.
 */
export interface LabelField {
  readonly cells: number;
  readonly names: string[];
  /** Per class: items in which a cell was active. */
  readonly counts: Uint32Array<ArrayBuffer>[];
  /** Per class: one row of weights. */
  readonly weights: BitMatrix[];
  /** Per class: items. */
  readonly items: number[];
  /** Per class: the active cells of every item, in rows of so many, filled up with −1; undefined: they are not kept. */
  readonly kept?: { readonly width: number; readonly codes: Int32Array<ArrayBuffer>[][] };
}

/**
 * How a code is turned into a score for each class: `binary`, the active cells with a weight to the class (as published);
 * `typical`, the active cells that are active more often for the class than for items of all classes; `count`, their
 * relative frequencies summed; `logLik`, naive Bayes over the active cells; `bernoulli`, over all cells. `binary` never
 * takes a weight back, so that it favours the classes that came first; the others hardly mind the order. `nearestCode`, the
 * active cells shared with the most similar item of the class, looks at every item, which all the others do without.
 */
export type Readout = "binary" | "typical" | "count" | "logLik" | "bernoulli" | "nearestCode";

export const READOUTS: readonly Readout[] = [
  "binary",
  "typical",
  "count",
  "logLik",
  "bernoulli",
  "nearestCode",
];

/** `keep`: the most cells that are active at once, if the codes of all items are to be kept for `nearestCode`. */
export function createLabelField(cells: number, keep?: number): LabelField {
  const kept = keep === undefined ? undefined : { width: keep, codes: [] };
  return { cells, names: [], counts: [], weights: [], items: [], kept };
}

/** Stores the active cells of one item of a class; only those that are `open` still get a weight. */
export function learnLabel(
  field: LabelField,
  name: string,
  active: readonly number[],
  open: (cell: number) => boolean = () => true,
): void {
  let c = field.names.indexOf(name);
  if (c < 0) c = addClass(field, name);
  field.items[c]++;
  field.kept?.codes[c].push(filledUp(active, field.kept.width));
  for (const cell of active) {
    field.counts[c][cell]++;
    if (open(cell)) setBit(field.weights[c], 0, cell);
  }
}

function filledUp(cells: readonly number[], width: number): Int32Array<ArrayBuffer> {
  const row = new Int32Array(width).fill(-1);
  row.set(cells);
  return row;
}

/** A class that has seen nothing yet; returns its place. */
export function addClass({ names, items, counts, weights, cells, kept }: LabelField, name: string): number {
  items.push(0);
  counts.push(new Uint32Array(cells));
  weights.push(createBitMatrix(1, cells));
  kept?.codes.push([]);
  return names.push(name) - 1;
}

/** The score of every class for a code, in the order of `names`; a `Problem` for `nearestCode` where codes are not kept. */
export function labelScores(field: LabelField, active: readonly number[], readout: Readout): Float64Array {
  if (readout === "nearestCode") return nearestScores(field, active);
  const all = field.items.reduce((a, b) => a + b, 0);
  const usual = (cell: number) => field.counts.reduce((sum, counts) => sum + counts[cell], 0) / all;
  return Float64Array.from(field.counts, (counts, c) => {
    const items = field.items[c];
    const p = (cell: number) => (counts[cell] + 0.5) / (items + 1);
    let score = 0;
    switch (readout) {
      case "binary":
        for (const cell of active) score += getBit(field.weights[c], 0, cell);
        return score;
      case "typical":
        for (const cell of active) score += Number(counts[cell] / items > usual(cell));
        return score;
      case "count":
        for (const cell of active) score += counts[cell] / items;
        return score;
      case "logLik":
        for (const cell of active) score += Math.log(p(cell));
        return score;
      case "bernoulli":
        for (let cell = 0; cell < counts.length; cell++) score += Math.log1p(-p(cell));
        for (const cell of active) score += Math.log(p(cell)) - Math.log1p(-p(cell));
        return score;
    }
  });
}

function nearestScores({ kept, cells }: LabelField, active: readonly number[]): Float64Array {
  if (!kept) throw new Problem("memory: nearestCode needs every code; make the memory with keepCodes: true");
  const isActive = new Uint8Array(cells);
  for (const cell of active) isActive[cell] = 1;
  return Float64Array.from(kept.codes, (codes) => {
    let most = 0;
    for (const code of codes) {
      let shared = 0;
      for (let i = 0; i < code.length && code[i] >= 0; i++) shared += isActive[code[i]];
      if (shared > most) most = shared;
    }
    return most;
  });
}

/** Place of the highest score; the first of equals. */
export function bestOf(scores: ArrayLike<number>): number {
  let best = 0;
  for (let c = 1; c < scores.length; c++) if (scores[c] > scores[best]) best = c;
  return best;
}
