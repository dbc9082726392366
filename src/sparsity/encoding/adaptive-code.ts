import { adaptiveWasm } from "../../kernels/adaptive.wasm.ts";
import type { Arena } from "../../kernels/arena.ts";
import { createArena } from "../../kernels/arena.ts";
import { instantiate } from "../../kernels/instantiate.ts";
import { Problem } from "../../problem.ts";

/*
 * The numbers of a matrix by arithmetic coding. Nothing is said of how they are distributed: who reads learns it from what was
 * read, as who wrote did. Lines and columns that many weights use are learned, and so are runs along and across lines. What is
 * done for each bit is in kernels/adaptive.ts.
 */

/** The most weights that are written so. */
export const MOST_WEIGHTS = 2 ** 27;

/** Which weights are in use. */
export interface Mask {
  lines: number;
  columns: number;
  /** [lines, columns]: 1 for each that is, else 0. */
  bits: Uint8Array;
}

export interface AdaptiveCode {
  bytes: Uint8Array;
  /** Of these, what the mask takes; not a whole number. */
  maskBits: number;
}

/** @param levels [lines, columns]: whole numbers but 0, below 2³⁰, of the weights in use. */
export function encodeAdaptive({ lines, columns, bits }: Mask, levels: Int32Array): AdaptiveCode {
  // A level takes 29 bits and few more, though it may be told by up to 62 decisions: that is learned.
  const room = 12 * bits.length + 1024;
  return inWorkspace(lines, columns, room, ({ kernels, code, mask, integers }) => {
    mask.set(bits);
    kernels.startWriting(code.byteOffset, room);
    kernels.codeMask(mask.byteOffset, lines, columns);
    const maskBits = 8 * kernels.used() + 32 - Math.log2(kernels.span());
    integers.set(levels);
    kernels.codeLevels(integers.byteOffset, mask.byteOffset, lines, columns);
    const length = kernels.finish();
    if (length < 0) throw new Error(`${bits.length} weights take more than ${room} bytes`);
    return { bytes: code.slice(0, length), maskBits };
  });
}

export interface AdaptiveReading {
  bits: Uint8Array;
  levels: Int32Array;
  /** Bytes of the code. */
  read: number;
}

/** The reverse. Throws a `Problem` where the code is too short. */
export function decodeAdaptive(bytes: Uint8Array, lines: number, columns: number): AdaptiveReading {
  return inWorkspace(lines, columns, bytes.length, ({ kernels, code, mask, integers }) => {
    code.set(bytes);
    kernels.startReading(code.byteOffset, bytes.length);
    kernels.codeMask(mask.byteOffset, lines, columns);
    kernels.codeLevels(integers.byteOffset, mask.byteOffset, lines, columns);
    const read = kernels.finish();
    if (read < 0) throw new Problem("the code of a tensor ends too early");
    return { bits: mask.slice(), levels: integers.slice(), read };
  });
}

interface Kernels {
  tablesSize(): number;
  prepare(tables: number): void;
  stateSize(columns: number): number;
  start(state: number): void;
  startWriting(code: number, room: number): void;
  startReading(code: number, length: number): void;
  codeMask(mask: number, lines: number, columns: number): void;
  codeLevels(levels: number, mask: number, lines: number, columns: number): void;
  finish(): number;
  used(): number;
  span(): number;
}

/** Arrays in the kernels' memory. */
interface Workspace {
  kernels: Kernels;
  code: Uint8Array;
  mask: Uint8Array;
  integers: Int32Array;
}

/** Matrices of up to a million weights share one memory; larger ones have their own for the time being. */
const SHARED_BYTES = 2 ** 24;
let shared: Coder | undefined;

/** A memory with kernels that are ready to work in it. */
interface Coder {
  arena: Arena;
  kernels: Kernels;
}

function createCoder(bytes: number): Coder {
  const arena = createArena(bytes);
  const kernels = instantiate<Kernels>(adaptiveWasm, arena.memory);
  kernels.prepare(arena.uint8(kernels.tablesSize()).byteOffset);
  return { arena, kernels };
}

function inWorkspace<T>(lines: number, columns: number, room: number, run: (w: Workspace) => T): T {
  const size = lines * columns;
  const needed = 5 * size + room + 4 * columns + 2 ** 20;
  const { arena, kernels } =
    needed <= SHARED_BYTES ? (shared ??= createCoder(SHARED_BYTES)) : createCoder(needed);
  return arena.temporarily(() => {
    kernels.start(arena.uint8(kernels.stateSize(columns)).byteOffset);
    return run({ kernels, code: arena.uint8(room), mask: arena.uint8(size), integers: arena.int32(size) });
  });
}
