import type { Cells, Room, Slot } from "./cells.ts";
import { addressOf, isCompact, spread } from "./cells.ts";
import type { SparseMatrix } from "./matrix.ts";
import { BLOCK_ROWS, columnRange, compressMatrix, fillOf } from "./matrix.ts";
import type { ProductOperation } from "./operations.ts";
import { cutRows, reserveRuns, shareInQuads } from "./run-matrix.ts";
import type { Step } from "./steps.ts";
import { copyStep } from "./steps.ts";
import type { Taps } from "./taps.ts";
import { tapsOfMatrix, withinReach } from "./taps.ts";

/** Blocks beat single weights where at least this share of what they store is not zero. */
const WORTHWHILE_FILL = 0.75;

/**
 * How the weights of a product are stored: weight by weight, in blocks of four rows, or, for single samples, in runs of
 * neighbours in a row.
 */
export type WeightFormat = SparseMatrix["kind"] | "run";

/** Runs beat single weights where at least this share of the weights are in whole vectors of them. */
const WORTHWHILE_RUNS = 0.2;

export interface StoredWeights {
  format: SparseMatrix["kind"];
  parts: { matrix: SparseMatrix; firstRow: number }[];
}

/**
 * Stores a layer's weights: in blocks of four rows where these are nearly full, else weight by weight. Rows that fill
 * no block are stored weight by weight too.
 */
export function storeWeights(
  { weights, rows, columns }: Pick<ProductOperation, "weights" | "rows" | "columns">,
  format?: WeightFormat,
): StoredWeights {
  const blocked = rows - (rows % BLOCK_ROWS);
  const part = (kind: SparseMatrix["kind"], from: number, to: number) => ({
    matrix: compressMatrix(kind, weights.subarray(from * columns, to * columns), to - from, columns),
    firstRow: from,
  });
  if ((format === undefined || format === "block") && blocked > 0) {
    const parts = [part("block", 0, blocked)];
    if (blocked < rows) parts.push(part("row", blocked, rows));
    if (format === "block" || fillOf(parts[0].matrix) >= WORTHWHILE_FILL) return { format: "block", parts };
  }
  return { format: "row", parts: [part("row", 0, rows)] };
}

/** Rows in memory, all columns of them or a band. */
interface StoredPart {
  firstRow: number;
  shares: number[];
  accumulate: boolean;
  last: boolean;
  kind: WeightFormat;
  starts: Slot;
  entries: Slot;
}

/** The steps of a product of a whole sample group: y's cells from x's. */
export function productSteps(
  operation: ProductOperation,
  x: Cells,
  y: Cells,
  room: Room,
  { format, threads }: { format?: WeightFormat; threads: number },
): Step[] {
  const { windows, group, rows, columns } = operation;
  const steps: Step[] = [];
  const taps = windows ? withinReach(windows, x, room, steps) : tapsOfMatrix(x);
  const perGroup = columns / taps.offsets.length;
  const step = group === 1 ? 0 : rows / group;
  const offset = (row: number, column: number) => {
    const tap = column % taps.offsets.length;
    const channel = Math.floor(column / taps.offsets.length) + (step ? Math.floor(row / step) * perGroup : 0);
    return channel * taps.plane + taps.offsets[tap];
  };
  const bias = room.floats(operation.bias);
  const { low, high } = operation;

  const { single, target, strips, yStrip, xStrip, width } = layOut(y, taps, room);
  const bands = single || width % 16 !== 0 || group > 1 ? [columns] : bandsOf(operation, taps.offsets.length);
  const parts = storeWeights(operation, group === 1 ? format : "row").parts.flatMap(
    ({ matrix, firstRow }): StoredPart[] => {
      // The same in all bands, so that a thread adds up what it has begun.
      const shares = sharesOf(matrix, threads);
      const offsetOf = (row: number, column: number) => offset(firstRow + row, column);
      const runs =
        single && matrix.kind === "row" && format !== "row" ? cutRows(matrix, offsetOf) : undefined;
      if (runs && (format === "run" || shareInQuads(runs, matrix) >= WORTHWHILE_RUNS)) {
        const stored = reserveRuns(room, runs, matrix, offsetOf);
        return [{ firstRow, shares, accumulate: false, last: true, kind: "run", ...stored }];
      }
      return bands.map((end, band) => ({
        firstRow,
        shares,
        accumulate: band > 0,
        last: band === bands.length - 1,
        kind: matrix.kind,
        ...reserveMatrix(
          room,
          bands.length === 1 ? matrix : columnRange(matrix, band === 0 ? 0 : bands[band - 1], end),
          offsetOf,
        ),
      }));
    },
  );
  steps.push(({ kernels, thread }) => {
    for (const { firstRow, shares, accumulate, last, kind, starts, entries } of parts) {
      const runs = shares[thread + 1] - shares[thread];
      if (runs === 0) continue;
      kernels.limit(last ? low : -Infinity, last ? high : Infinity);
      const block = kind === "block";
      const row = firstRow + shares[thread] * (block ? BLOCK_ROWS : 1);
      const to = addressOf(target) + row * target.plane;
      const from = taps.base();
      const b = bias.address + 4 * row;
      const s = starts.address + (kind === "run" ? 8 : 4) * shares[thread];
      if (single) kernels[`${kind}Vector`](to, from, b, s, entries.address, runs);
      else
        (block ? kernels.blockProduct : kernels.rowProduct)(
          to,
          from,
          b,
          s,
          entries.address,
          runs,
          accumulate,
          strips,
          yStrip,
          xStrip,
          width,
          target.plane,
        );
    }
  });
  if (target !== y) steps.push(copyStep(target, y));
  return steps;
}

/** What a run costs besides its entries, in entries: its results are written and its bounds are read. */
const RUN_COST = 4;

/** Thread t computes the runs shares[t] .. shares[t+1]−1, such that all have about as many entries. */
function sharesOf({ starts }: SparseMatrix, threads: number): number[] {
  const runs = starts.length - 1;
  const cost = (run: number) => starts[run] + RUN_COST * run;
  const shares = [0];
  for (let t = 1, run = 0; t < threads; t++) {
    while (run < runs && cost(run) + cost(run + 1) < (2 * t * cost(runs)) / threads) run++;
    shares.push(run);
  }
  return [...shares, runs];
}

/**
 * A strip is a row of cells. Where rows are short, the whole plane is one strip as wide as x's rows: what lies between
 * the rows of y comes out as nonsense, and only the rows are copied. A single number is a vector's product.
 */
function layOut(y: Cells, taps: Taps, room: Room) {
  const wide = y.width * y.lanes;
  const single = wide === 1 && y.height === 1;
  const merged = !single && (wide < 4 || (wide < 16 && y.height > 1));
  const ofPlane = wholeTiles(((y.height - 1) * taps.row) / 4 + wide);
  const plane = single ? 4 : spread(4 * ofPlane);
  const target: Cells =
    merged || (single && !isCompact(y))
      ? { ...y, origin: 0, row: taps.row, plane, slot: room.reserve(y.channels * plane) }
      : y;
  return merged
    ? { single, target, strips: 1, yStrip: 0, xStrip: 0, width: ofPlane }
    : { single, target, strips: y.height, yStrip: target.row, xStrip: taps.row, width: wide };
}

/** Columns of a scratch plane: whole tiles, so that the sums of several bands can be added up in it. */
function wholeTiles(columns: number): number {
  return columns < 16 ? Math.max(4, columns) : 16 * Math.ceil(columns / 16);
}

/** Inputs of a tile that a band may reach: about a first-level cache. */
const BAND_BYTES = 32_768;
/** Weights of a row that a band should have, to be worth starting the row again. */
const BAND_WEIGHTS = 64;

/** Where a product is cut into bands of columns that are summed one after the other, each on inputs that stay in cache. */
function bandsOf({ weights, rows, columns }: ProductOperation, taps: number): number[] {
  // Cache lines of a channel: one, or those of a window's three rows.
  const bytes = taps === 1 ? 64 : 384;
  const density = weights.reduce((n, w) => n + Number(w !== 0), 0) / (rows * columns);
  const channels = Math.max(BAND_BYTES / bytes, BAND_WEIGHTS / (density * taps));
  const count = Math.max(1, Math.round(columns / taps / channels));
  const step = taps * Math.ceil(columns / taps / count);
  return Array.from({ length: Math.ceil(columns / step) }, (_, i) => Math.min(columns, (i + 1) * step));
}

/**
 * Puts a matrix into memory as the kernels read it: byte positions of runs, and entries of an offset and its weights.
 * Runs of single weights are filled up to an even length with a weight of 0 on a number that the run reads anyway.
 */
function reserveMatrix(
  room: Room,
  { kind, starts, indices, values }: SparseMatrix,
  offset: (run: number, column: number) => number,
): { starts: Slot; entries: Slot } {
  const height = kind === "block" ? BLOCK_ROWS : 1;
  const size = 1 + height;
  const runs = starts.length - 1;
  const positions = new Uint32Array(starts.length);
  for (let run = 0; run < runs; run++) {
    const length = starts[run + 1] - starts[run];
    positions[run + 1] = positions[run] + 4 * size * (kind === "row" ? length + (length % 2) : length);
  }
  return {
    starts: room.reserve(positions.byteLength, (memory, address) =>
      new Uint32Array(memory, address, positions.length).set(positions),
    ),
    entries: room.reserve(positions[runs], (memory, address) => {
      const offsets = new Uint32Array(memory, address, positions[runs] / 4);
      const weights = new Float32Array(memory, address, positions[runs] / 4);
      for (let run = 0; run < runs; run++) {
        let at = positions[run] / 4;
        for (let e = starts[run]; e < starts[run + 1]; e++, at += size) {
          offsets[at] = offset(run, indices[e]);
          weights.set(values.subarray(height * e, height * (e + 1)), at + 1);
        }
        if (at < positions[run + 1] / 4) offsets[at] = offsets[at - size];
      }
    }),
  };
}
