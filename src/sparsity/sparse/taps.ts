import type { Windows } from "../../engine/operators/windows.ts";
import type { Cells, Room } from "./cells.ts";
import { addressOf, reserveCells } from "./cells.ts";
import type { Step } from "./steps.ts";
import { shareOf } from "./steps.ts";

/** Where the taps of a window lie, in bytes from the first tap of the first window. */
export interface Taps {
  offsets: number[];
  /** From channel to channel, and from one row of windows to the next. */
  plane: number;
  row: number;
  base(): number;
}

export function tapsOfMatrix(x: Cells): Taps {
  return { offsets: [0], plane: x.plane, row: x.row, base: () => addressOf(x) };
}

/**
 * Windows with stride 1 read x where it lies if its margin is wide enough. Others read a copy that is split by
 * phase: cells whose row and column leave the same remainders when divided by the strides form a plane of their own,
 * on which windows move in single steps.
 */
export function withinReach(windows: Windows, x: Cells, room: Room, steps: Step[]): Taps {
  const [height, width] = windows.output;
  const [strideY, strideX] = windows.strides;
  const [top, left] = windows.before;
  const at = (axis: number) =>
    Array.from({ length: windows.kernel[axis] }, (_, k) => k * windows.dilations[axis]);
  const [ys, xs] = [at(0), at(1)];
  if (reaches(windows, x))
    return {
      offsets: ys.flatMap((dy) => xs.map((dx) => dy * x.row + dx * x.cell)),
      plane: x.plane,
      row: x.row,
      base: () => addressOf(x) - top * x.row - left * x.cell,
    };
  const phasesY = [...new Set(ys.map((dy) => dy % strideY))];
  const phasesX = [...new Set(xs.map((dx) => dx % strideX))];
  const phases = phasesY.length * phasesX.length;
  const copy = reserveCells(room, {
    channels: x.channels * phases,
    height: Math.floor(ys.at(-1)! / strideY) + height,
    width: Math.floor(xs.at(-1)! / strideX) + width,
    lanes: x.lanes,
  });
  const planeOf = (dy: number, dx: number) =>
    phasesY.indexOf(dy % strideY) * phasesX.length + phasesX.indexOf(dx % strideX);
  const copies = phasesY.flatMap((py) =>
    phasesX.flatMap((px) => {
      const [fromY, countY] = inside(py, strideY, top, x.height, copy.height);
      const [fromX, countX] = inside(px, strideX, left, x.width, copy.width);
      if (countY <= 0 || countX <= 0) return [];
      const to = planeOf(py, px) * copy.plane + fromY * copy.row + fromX * copy.cell;
      const from = (fromY * strideY + py - top) * x.row + (fromX * strideX + px - left) * x.cell;
      return [{ to, from, countY, countX }];
    }),
  );
  steps.push((machine) => {
    const [first, planes] = shareOf(machine, x.channels);
    for (const { to, from, countY, countX } of copies)
      machine.kernels.copyCells(
        addressOf(copy) + to + first * phases * copy.plane,
        phases * copy.plane,
        copy.row,
        copy.cell,
        addressOf(x) + from + first * x.plane,
        x.plane,
        strideY * x.row,
        strideX * x.cell,
        planes,
        countY,
        countX,
        x.lanes,
      );
  });
  return {
    offsets: ys.flatMap((dy) =>
      xs.map(
        (dx) =>
          planeOf(dy, dx) * copy.plane +
          Math.floor(dy / strideY) * copy.row +
          Math.floor(dx / strideX) * copy.cell,
      ),
    ),
    plane: phases * copy.plane,
    row: copy.row,
    base: () => addressOf(copy),
  };
}

/** Whether every tap of windows with stride 1 falls on a cell or its margin. */
function reaches({ strides, before, after }: Windows, { margin }: Cells): boolean {
  return (
    strides.every((s) => s === 1) &&
    margin.top >= before[0] &&
    margin.left >= before[1] &&
    margin.bottom >= after[0] &&
    margin.right >= after[1]
  );
}

/** The first of `count` positions r with a cell at r · stride + phase − before inside 0 .. size−1, and how many. */
function inside(
  phase: number,
  stride: number,
  before: number,
  size: number,
  count: number,
): [number, number] {
  const first = Math.max(0, Math.ceil((before - phase) / stride));
  const last = Math.min(count - 1, Math.floor((size - 1 + before - phase) / stride));
  return [first, last - first + 1];
}
