import type { Cells, Slot } from "./cells.ts";
import { addressOf, isCompact } from "./cells.ts";
import type { SparseKernels } from "./kernels.ts";
import type { AddOperation, AffineOperation, PoolOperation } from "./operations.ts";

/** What steps work with once the memory is there. */
export interface Machine {
  readonly kernels: SparseKernels;
  /** The whole memory as numbers. */
  readonly floats: Float32Array;
}

/** One call or a few of a kernel, for the samples of group `group`. */
export type Step = (machine: Machine, group: number) => void;

/** Numbers of one sample. */
const sizeOfSample = ({ channels, height, width }: Cells) => channels * height * width;

/** How a kernel that walks over rows of samples sees the cells: as one long row where they are compact. */
function extent(cells: Cells): [planes: number, rows: number, columns: number] {
  return isCompact(cells) ? [1, 1, sizeOfSample(cells)] : [cells.channels, cells.height, cells.width];
}

/** Reads the samples of a group from a row-major batch that is padded to whole groups. */
export function enterStep(from: Slot, to: Cells): Step {
  const { lanes, plane, row, cell } = to;
  const sample = 4 * sizeOfSample(to);
  const [planes, rows, columns] = extent(to);
  return ({ kernels }, group) => {
    const at = from.address + group * lanes * sample;
    if (lanes === 1)
      kernels.copyCells(
        addressOf(to),
        plane,
        row,
        cell,
        at,
        4 * rows * columns,
        4 * columns,
        4,
        planes,
        rows,
        columns,
        1,
      );
    else kernels.interleave(addressOf(to), plane, row, cell, at, sample, lanes, planes, rows, columns);
  };
}

/** Writes the samples of a group to a row-major batch that is padded to whole groups. */
export function leaveStep(from: Cells, to: Slot): Step {
  const { lanes, plane, row, cell } = from;
  const sample = 4 * sizeOfSample(from);
  const [planes, rows, columns] = extent(from);
  return ({ kernels }, group) => {
    const at = to.address + group * lanes * sample;
    if (lanes === 1)
      kernels.copyCells(
        at,
        4 * rows * columns,
        4 * columns,
        4,
        addressOf(from),
        plane,
        row,
        cell,
        planes,
        rows,
        columns,
        1,
      );
    else kernels.separate(at, sample, addressOf(from), plane, row, cell, lanes, planes, rows, columns);
  };
}

/** Copies a value's cells to those of another that begin at channel `firstChannel`. */
export function copyStep(from: Cells, to: Cells, firstChannel = 0): Step {
  return ({ kernels }) =>
    kernels.copyCells(
      addressOf(to) + firstChannel * to.plane,
      to.plane,
      to.row,
      to.cell,
      addressOf(from),
      from.plane,
      from.row,
      from.cell,
      from.channels,
      from.height,
      from.width,
      from.lanes,
    );
}

export function addStep({ low, high }: AddOperation, a: Cells, b: Cells, y: Cells): Step {
  return ({ kernels }) =>
    kernels.addRows(
      addressOf(y),
      y.plane,
      y.row,
      addressOf(a),
      a.plane,
      a.row,
      addressOf(b),
      b.plane,
      b.row,
      y.channels,
      y.height,
      y.width * y.lanes,
      low,
      high,
    );
}

export function affineStep(
  { low, high }: AffineOperation,
  x: Cells,
  y: Cells,
  factor: Slot,
  offset: Slot,
): Step {
  return ({ kernels }) =>
    kernels.affineRows(
      addressOf(y),
      y.plane,
      y.row,
      addressOf(x),
      x.plane,
      x.row,
      factor.address,
      offset.address,
      y.channels,
      y.height,
      y.width * y.lanes,
      low,
      high,
    );
}

export function poolStep({ average, whole, windows }: PoolOperation, x: Cells, y: Cells): Step {
  const { kernel, strides, dilations, before } = windows;
  return ({ kernels }) =>
    kernels.pool(
      addressOf(y),
      y.plane,
      y.row,
      addressOf(x),
      x.plane,
      x.row,
      x.channels,
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
}

/** Softmax over the channels of each sample; in double precision, since it is short. */
export function softmaxStep(x: Cells, y: Cells): Step {
  const { channels, lanes } = x;
  return ({ floats }) => {
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
