import { type Arena, arenaOf } from "../kernels/arena.ts";
import { codesWasm } from "../kernels/codes.wasm.ts";
import { instantiate } from "../kernels/instantiate.ts";

/** Where a memory's arrays lie: an arena, on which the kernels work, or anywhere. */
export type Room = Pick<Arena, "float64" | "int32">;

export const ANYWHERE: Room = {
  float64: (length) => new Float64Array(length),
  int32: (length) => new Int32Array(length),
};

/** One number a cell. The kernels write 32 cells at a time. */
export function cellNumbers(room: Room, cells: number): Float64Array {
  return room.float64(32 * Math.ceil(cells / 32)).subarray(0, cells);
}

/** The functions of kernels/codes.ts. */
interface CodeKernels {
  sums(rows: number, count: number, from: number, to: number, out: number, planes: number): void;
  sumsAt(task: number): void;
  clear(at: number, bytes: number): void;
  copy(from: number, to: number, bytes: number): void;
  corrected(
    sums: number,
    weighted: number,
    fanIn: number,
    out: number,
    cells: number,
    scale: number,
    seen: number,
    prior: number,
  ): void;
  largest(support: number, q: number, k: number, best: number): number;
  add(from: number, to: number, cells: number): void;
  countFrom(values: number, count: number, least: number): number;
  winWeights(
    support: number,
    k: number,
    most: number,
    steepness: number,
    center: number,
    out: number,
  ): number;
}

/** The kernels for an array in an arena; undefined for others, which are worked on in JavaScript. */
export function kernelsFor(array: ArrayBufferView): CodeKernels | undefined {
  const arena = arenaOf(array);
  return arena && instantiate<CodeKernels>(codesWasm, arena.memory);
}

/** array.fill(0), with a kernel where there is one. */
export function clear(array: Float64Array): void {
  const kernels = kernelsFor(array);
  if (kernels) kernels.clear(array.byteOffset, array.byteLength);
  else array.fill(0);
}

/** to.set(from) of arrays of one length, with a kernel where both lie in one arena. */
export function copy(from: Float64Array, to: Float64Array): void {
  const kernels = kernelsFor(from);
  if (kernels && from.buffer === to.buffer) kernels.copy(from.byteOffset, to.byteOffset, from.byteLength);
  else to.set(from);
}
