import { Problem } from "../problem.ts";

const PAGE = 65_536;
const LARGEST = 65_536 * PAGE;

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
}

/** An arena with room for `bytes` bytes in all; each array may take up to 15 more for alignment. */
export function createArena(bytes: number): Arena {
  // The first page stays free: address 0 is no array's, and a module's own data may lie there.
  const pages = 1 + Math.ceil(bytes / PAGE);
  if (pages * PAGE > LARGEST)
    throw new Problem(
      `${(bytes / 2 ** 30).toFixed(1)} GiB of arrays are asked for; WebAssembly addresses 4 GiB: use a smaller model`,
    );
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  let next = PAGE;
  const take = (size: number): number => {
    const at = next;
    next = 16 * Math.ceil((at + size) / 16);
    if (at + size > memory.buffer.byteLength)
      throw new RangeError(`an arena of ${memory.buffer.byteLength} bytes has no room for ${size} more`);
    return at;
  };
  return {
    memory,
    float32: (length) => new Float32Array(memory.buffer, take(4 * length), length),
    float64: (length) => new Float64Array(memory.buffer, take(8 * length), length),
    int32: (length) => new Int32Array(memory.buffer, take(4 * length), length),
    uint8: (length) => new Uint8Array(memory.buffer, take(length), length),
  };
}
