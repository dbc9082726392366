import type { Arena } from "../kernels/arena.ts";
import { arenaOf, createArena } from "../kernels/arena.ts";
import { groupsWasm } from "../kernels/groups.wasm.ts";
import { instantiate } from "../kernels/instantiate.ts";

/**
 * The functions of kernels/groups.ts. Addresses are bytes: of the first group's first element, and of its number among
 * the groups'. Then an array's outer rows, their distance in elements, the groups that take part, and elements in a run.
 */
export interface GroupKernels {
  /** Of groups that are runs behind one another. */
  runNorms(w: number, groups: number, inner: number, norms: number): void;
  addSquares(w: number, outer: number, stride: number, groups: number, inner: number, sums: number): void;
  addValues(w: number, outer: number, stride: number, groups: number, inner: number, sums: number): void;
  squareRoots(x: number, length: number): void;
  scale(w: number, outer: number, stride: number, groups: number, inner: number, factors: number): void;
  move(
    w: number,
    from: number,
    m: number,
    outer: number,
    stride: number,
    groups: number,
    inner: number,
    factors: number,
  ): void;
}

/**
 * Lets kernels work on arrays and on m numbers of the groups: in place where the arrays lie in one arena, as those of
 * training do, otherwise on copies, which are written back. So for the numbers.
 *
 * @param work gets each array where kernels reach it, and the numbers likewise.
 */
export function onKernels(
  arrays: readonly Float32Array[],
  numbers: Float64Array,
  work: (kernels: GroupKernels, near: (array: Float32Array) => Float32Array, numbers: Float64Array) => void,
): void {
  const own = arrays.length > 0 ? arenaOf(arrays[0]) : undefined;
  if (own && arrays.every((a) => a.buffer === own.memory.buffer)) {
    withNumbers(own, numbers, (kernels, beside) => work(kernels, (array) => array, beside));
    return;
  }
  const distinct = [...new Set(arrays)];
  const arena = createArena(distinct.reduce((sum, a) => sum + a.byteLength + 16, numbers.byteLength + 16));
  const copies = new Map(distinct.map((a) => [a, copyTo(arena.float32(a.length), a)]));
  withNumbers(arena, numbers, (kernels, beside) => work(kernels, (array) => copies.get(array)!, beside));
  for (const [array, copy] of copies) array.set(copy);
}

function withNumbers(
  arena: Arena,
  numbers: Float64Array,
  work: (kernels: GroupKernels, numbers: Float64Array) => void,
): void {
  const kernels = instantiate<GroupKernels>(groupsWasm, arena.memory);
  if (numbers.buffer === arena.memory.buffer) work(kernels, numbers);
  else
    arena.temporarily(() => {
      const beside = copyTo(arena.float64(numbers.length), numbers);
      work(kernels, beside);
      numbers.set(beside);
    });
}

function copyTo<A extends Float32Array | Float64Array>(target: A, source: A): A {
  target.set(source);
  return target;
}
