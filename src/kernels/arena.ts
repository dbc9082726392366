import { Problem } from "../problem.ts";

const PAGE = 65_536;
const LARGEST = 65_536 * PAGE;
/** Bytes behind the last array: kernels load 16 at a time. */
const MARGIN = 16;

/** The largest number of bytes that `createArena` takes. */
export const LARGEST_ARENA = LARGEST - PAGE - MARGIN;

/**
 * A WebAssembly memory of fixed size that hands out typed arrays one behind the other. JavaScript and ONNX Runtime use
 * them like any others, kernels work on them in place. The memory never grows, since that would detach every view of
 * it; pages that nobody writes to cost no memory, so room may be asked for generously. Nothing is freed singly: an
 * arena goes when nobody holds its arrays any more.
 */
export interface Arena {
  readonly memory: WebAssembly.Memory;
  /** A zero-filled array whose first element lies on a multiple of 16 bytes. */
  float32(length: number): Float32Array;
  float64(length: number): Float64Array;
  int32(length: number): Int32Array;
  uint8(length: number): Uint8Array;
  /** Runs `work`; the arrays that it took are free again afterwards. */
  temporarily<T>(work: () => T): T;
}

const arenas = new WeakMap<ArrayBufferLike, Arena>();

/** The arena that an array lies in, if any. */
export function arenaOf(array: ArrayBufferView): Arena | undefined {
  return arenas.get(array.buffer);
}

/**
 * An arena with room for `bytes` bytes in all; each array may take up to 15 more for alignment.
 *
 * @param shared several threads work on it. ONNX Runtime refuses arrays in such a memory, and browsers have it only in
 *   pages that are cross-origin isolated.
 */
export function createArena(bytes: number, shared = false): Arena {
  if (bytes > LARGEST_ARENA) throw tooLarge(bytes);
  // The first page stays free: address 0 is no array's, and a module's own data may lie there.
  const pages = 1 + Math.ceil((bytes + MARGIN) / PAGE);
  const memory = reserve(pages, shared);
  const end = pages * PAGE - MARGIN;
  let next = PAGE;
  let used = next;
  const take = (size: number): number => {
    const at = next;
    if (at + size > end) {
      if (end > LARGEST_ARENA) throw tooLarge(at + size);
      throw new RangeError(`an arena of ${end} bytes has no room for ${size} more behind ${at}`);
    }
    next = 16 * Math.ceil((at + size) / 16);
    if (at < used) new Uint8Array(memory.buffer, at, Math.min(size, used - at)).fill(0);
    used = Math.max(used, next);
    return at;
  };
  const arena: Arena = {
    memory,
    float32: (length) => new Float32Array(memory.buffer, take(4 * length), length),
    float64: (length) => new Float64Array(memory.buffer, take(8 * length), length),
    int32: (length) => new Int32Array(memory.buffer, take(4 * length), length),
    uint8: (length) => new Uint8Array(memory.buffer, take(length), length),
    temporarily: (work) => {
      const before = next;
      try {
        return work();
      } finally {
        next = before;
      }
    },
  };
  arenas.set(memory.buffer, arena);
  return arena;
}

function reserve(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Problem(
      `the system does not give ${((pages * PAGE) / 2 ** 20).toFixed(0)} MiB of address space for arrays: use a smaller model, or close other programs`,
    );
  }
}

function tooLarge(bytes: number): Problem {
  return new Problem(
    `${(bytes / 2 ** 30).toFixed(1)} GiB of arrays are asked for; WebAssembly addresses 4 GiB: use a smaller model`,
  );
}
