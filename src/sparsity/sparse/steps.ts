import type { Cells, Slot } from "./cells.ts";
import { addressOf, isCompact } from "./cells.ts";
import type { SparseKernels } from "./kernels.ts";
import type { AddOperation, AffineOperation, PoolOperation } from "./operations.ts";

/** What steps work with once the memory is there: one thread's kernels. */
export interface Machine {
  readonly kernels: SparseKernels;
  /** The whole memory as numbers. */
  readonly floats: Float32Array;
  /** Which of how many threads this is, from 0. */
  readonly thread: number;
  readonly threads: number;
  /** Waits until every thread has come as far. */
  meet(): void;
}

/**
 * One call or a few of a kernel, for the samples of group `group`: this thread's share of them, which no other thread's
 * share depends on.
 */
export type Step = (machine: Machine, group: number) => void;

/** This thread's share of `count` things in a row, in whole multiples of `unit`: the first, and how many. */
export function shareOf(
  { thread, threads }: Machine,
  count: number,
  unit = 1,
): [first: number, count: number] {
  const until = (t: number) => Math.min(count, unit * Math.ceil((t * count) / (threads * unit)));
  const first = until(thread);
  return [first, until(thread + 1) - first];
}

/** Numbers of one sample. */
const sizeOfSample = ({ channels, height, width }: Cells) => channels * height * width;

/**
 * How a kernel that walks over rows of samples sees a thread's share of the cells, and where in the cells and in a sample
 * it begins, in bytes. Compact cells are one long row, planes without a margin one each.
 */
function extent(machine: Machine, cells: Cells) {
  const { channels, height, width, plane, row, cell } = cells;
  if (isCompact(cells)) {
    const [first, columns] = shareOf(machine, sizeOfSample(cells), 4);
    return { planes: 1, rows: 1, columns, inCells: first * cell, inSample: 4 * first };
  }
  const [first, planes] = shareOf(machine, channels);
  const together = row === width * cell;
  return {
    planes,
    rows: together ? 1 : height,
    columns: together ? height * width : width,
    inCells: first * plane,
    inSample: 4 * first * height * width,
  };
}

/** Reads the samples of a group from a row-major batch that is padded to whole groups. */
export function enterStep(from: Slot, to: Cells): Step {
  const { lanes, plane, row, cell } = to;
  const sample = 4 * sizeOfSample(to);
  return (machine, group) => {
    const { kernels } = machine;
    const { planes, rows, columns, inCells, inSample } = extent(machine, to);
    const x = from.address + group * lanes * sample + inSample;
    const y = addressOf(to) + inCells;
    if (lanes === 1)
      kernels.copyCells(y, plane, row, cell, x, 4 * rows * columns, 4 * columns, 4, planes, rows, columns, 1);
    else kernels.interleave(y, plane, row, cell, x, sample, lanes, planes, rows, columns);
  };
}

/** Writes the samples of a group to a row-major batch that is padded to whole groups. */
export function leaveStep(from: Cells, to: Slot): Step {
  const { lanes, plane, row, cell } = from;
  const sample = 4 * sizeOfSample(from);
  return (machine, group) => {
    const { kernels } = machine;
    const { planes, rows, columns, inCells, inSample } = extent(machine, from);
    const y = to.address + group * lanes * sample + inSample;
    const x = addressOf(from) + inCells;
    if (lanes === 1)
      kernels.copyCells(y, 4 * rows * columns, 4 * columns, 4, x, plane, row, cell, planes, rows, columns, 1);
    else kernels.separate(y, sample, x, plane, row, cell, lanes, planes, rows, columns);
  };
}

/** Copies a value's cells to those of another that begin at channel `firstChannel`. */
export function copyStep(from: Cells, to: Cells, firstChannel = 0): Step {
  return (machine) => {
    const [first, planes] = shareOf(machine, from.channels);
    machine.kernels.copyCells(
      addressOf(to) + (firstChannel + first) * to.plane,
      to.plane,
      to.row,
      to.cell,
      addressOf(from) + first * from.plane,
      from.plane,
      from.row,
      from.cell,
      planes,
      from.height,
      from.width,
      from.lanes,
    );
  };
}

export function addStep({ low, high }: AddOperation, a: Cells, b: Cells, y: Cells): Step {
  return (machine) => {
    const [first, planes] = shareOf(machine, y.channels);
    machine.kernels.addRows(
      addressOf(y) + first * y.plane,
      y.plane,
      y.row,
      addressOf(a) + first * a.plane,
      a.plane,
      a.row,
      addressOf(b) + first * b.plane,
      b.plane,
      b.row,
      planes,
      y.height,
      y.width * y.lanes,
      low,
      high,
    );
  };
}

export function affineStep(
  { low, high }: AffineOperation,
  x: Cells,
  y: Cells,
  factor: Slot,
  offset: Slot,
): Step {
  return (machine) => {
    const [first, planes] = shareOf(machine, y.channels);
    machine.kernels.affineRows(
      addressOf(y) + first * y.plane,
      y.plane,
      y.row,
      addressOf(x) + first * x.plane,
      x.plane,
      x.row,
      factor.address + 4 * first,
      offset.address + 4 * first,
      planes,
      y.height,
      y.width * y.lanes,
      low,
      high,
    );
  };
}

export function poolStep({ average, whole, windows }: PoolOperation, x: Cells, y: Cells): Step {
  const { kernel, strides, dilations, before } = windows;
  return (machine) => {
    const [first, planes] = shareOf(machine, x.channels);
    machine.kernels.pool(
      addressOf(y) + first * y.plane,
      y.plane,
      y.row,
      addressOf(x) + first * x.plane,
      x.plane,
      x.row,
      planes,
      x.lanes,
      average,
      whole,
      x.height,
      x.width,
      y.height,
      y.width,
      kernel[0],
      kernel[1],
      strides[0],
      strides[1],
      dilations[0],
      dilations[1],
      before[0],
      before[1],
    );
  };
}

/** Softmax over the channels of each sample; in double precision and by the first thread, since it is short. */
export function softmaxStep(x: Cells, y: Cells): Step {
  const { channels, lanes } = x;
  return ({ floats, thread }) => {
    if (thread !== 0) return;
    const [from, to] = [addressOf(x) / 4, addressOf(y) / 4];
    for (let lane = 0; lane < lanes; lane++) {
      let largest = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < channels; c++) largest = Math.max(largest, floats[from + (c * x.plane) / 4 + lane]);
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += Math.exp(floats[from + (c * x.plane) / 4 + lane] - largest);
      for (let c = 0; c < channels; c++)
        floats[to + (c * y.plane) / 4 + lane] =
          Math.exp(floats[from + (c * x.plane) / 4 + lane] - largest) / sum;
    }
  };
}
