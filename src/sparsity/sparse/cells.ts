import type { Arena } from "../../kernels/arena.ts";
import { createArena } from "../../kernels/arena.ts";

/**
 * Where a value [lanes, channels, height, width] lies. Its cells hold one number of each sample, side by side, so that
 * one weight multiplies neighbouring numbers; around each plane of cells is a margin of zeros that the taps of a
 * padded convolution reach into. A matrix [lanes, features] has one cell a channel.
 */
export interface Cells {
  readonly slot: Slot;
  /** Byte of the first cell inside the margin, from the start of the slot. */
  readonly origin: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly lanes: number;
  readonly margin: Margin;
  /** Bytes from one to the next. */
  readonly cell: number;
  readonly row: number;
  readonly plane: number;
}

/** Cells on each side of a plane. */
export interface Margin {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export const NO_MARGIN: Margin = { top: 0, left: 0, bottom: 0, right: 0 };

/** Bytes that get their address when everything has been laid out. */
export interface Slot {
  readonly bytes: number;
  address: number;
  /** Written once, before the first run. */
  fill?(memory: ArrayBuffer, address: number): void;
}

/** Collects what a program needs to keep, so that its memory can be made in one piece of the right size. */
export interface Room {
  reserve(bytes: number, fill?: Slot["fill"]): Slot;
  floats(values: ArrayLike<number>): Slot;
  /** Makes the memory, shared between threads or not, and gives every slot its address. */
  open(shared?: boolean): Arena;
}

/** Vector loads may reach a little beyond the last number of a slot. */
const SLACK = 64;

export function createRoom(): Room {
  const slots: Slot[] = [];
  const reserve: Room["reserve"] = (bytes, fill) => {
    const slot: Slot = { bytes: bytes + SLACK, address: 0, fill };
    slots.push(slot);
    return slot;
  };
  return {
    reserve,
    floats: (values) =>
      reserve(4 * values.length, (memory, address) =>
        new Float32Array(memory, address, values.length).set(values),
      ),
    open: (shared) => {
      const arena = createArena(
        slots.reduce((sum, slot) => sum + slot.bytes + 15, 0),
        shared,
      );
      for (const slot of slots) {
        slot.address = arena.uint8(slot.bytes).byteOffset;
        slot.fill?.(arena.memory.buffer, slot.address);
      }
      return arena;
    },
  };
}

export interface CellsShape {
  channels: number;
  height: number;
  width: number;
  lanes: number;
}

/** Bytes of a cache line. */
const LINE = 64;

/**
 * Bytes from plane to plane. Lines that are a high power of two apart share a few places of a cache, where a tile of all channels
 * would not fit: one line more spreads them.
 */
export function spread(plane: number): number {
  return plane % (8 * LINE) === 0 ? plane + LINE : plane;
}

/** Reserves the cells of a value; `compact` ones lie one behind the other where there is no margin. */
export function reserveCells(
  room: Room,
  shape: CellsShape,
  { margin = NO_MARGIN, compact = false }: { margin?: Margin; compact?: boolean } = {},
): Cells {
  const { channels, height, width, lanes } = shape;
  const cell = 4 * lanes;
  const row = cell * (margin.left + width + margin.right);
  const packed = row * (margin.top + height + margin.bottom);
  const plane = compact ? packed : spread(packed);
  const origin = margin.top * row + margin.left * cell;
  return {
    slot: room.reserve(channels * plane),
    origin,
    channels,
    height,
    width,
    lanes,
    margin,
    cell,
    row,
    plane,
  };
}

/** Byte address of the first cell. Known once the room is open. */
export function addressOf({ slot, origin }: Cells): number {
  return slot.address + origin;
}

/** Whether cells lie one behind the other, channel by channel, with nothing between. */
export function isCompact({ plane, row, cell, height, width }: Cells): boolean {
  return row === width * cell && plane === height * row;
}

/** A value's cells read as a matrix's, one channel a cell: what flattening does. The cells must be compact. */
export function flatCells(cells: Cells): Cells {
  const { channels, height, width, cell } = cells;
  return { ...cells, channels: channels * height * width, height: 1, width: 1, row: cell, plane: cell };
}
