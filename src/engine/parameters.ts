import type { Arena } from "../kernels/arena.ts";
import { createArena, LARGEST_ARENA } from "../kernels/arena.ts";
import type { Graph } from "./graph.ts";
import type { Shape, Tensor } from "./tensor.ts";
import { sizeOf } from "./tensor.ts";

/** Arrays of the same layout that fit beside the first: gradients, an optimiser's moments, a snapshot, what groups need. */
const COMPANIONS = 12;

export interface Segment {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
}

/**
 * Arrays that lie one behind the other in a single Float32Array: optimisers and proximal steps are one pass over
 * `values`, a checkpoint is one slice, and every segment is also a tensor of its own (a view, no copy). WebAssembly works
 * on them in place, so they are views of a large buffer: never hand one to `structuredClone` or `postMessage` unsliced.
 */
export interface FlatArrays {
  /** Where the arrays lie. Kernels need all their arrays in one arena. */
  readonly arena: Arena;
  readonly values: Float32Array;
  readonly segments: readonly Segment[];
  readonly tensors: ReadonlyMap<string, Tensor<"float32">>;
  /** The same views by name. */
  readonly arrays: Readonly<Record<string, Float32Array>>;
}

/**
 * Zero-filled arrays with the layout of `shapes`.
 *
 * @param beside In the arena of these arrays, which has room for a dozen companions; by default an arena of their own.
 */
export function flatArrays(shapes: Iterable<readonly [string, Shape]>, beside?: FlatArrays): FlatArrays {
  const segments: Segment[] = [];
  let offset = 0;
  for (const [name, shape] of shapes) {
    const length = sizeOf(shape);
    segments.push({ name, shape, offset, length });
    offset += length;
  }
  const bytes = 4 * offset + 16;
  const arena =
    beside?.arena ?? createArena(Math.max(bytes, Math.min((1 + COMPANIONS) * bytes, LARGEST_ARENA)));
  const values = arena.float32(offset);
  const tensors = new Map(
    segments.map((s) => [
      s.name,
      { dtype: "float32" as const, shape: s.shape, data: values.subarray(s.offset, s.offset + s.length) },
    ]),
  );
  const arrays = Object.fromEntries([...tensors].map(([name, t]) => [name, t.data]));
  return { arena, values, segments, tensors, arrays };
}

/** Moves the parameters of a graph into flat arrays; the graph then refers to the views, so both see every update. */
export function flattenParameters(graph: Graph): FlatArrays {
  const flat = flatArrays([...graph.parameters].map(([name, t]) => [name, t.shape] as const));
  for (const [name, view] of flat.tensors) {
    view.data.set(graph.parameters.get(name)!.data);
    graph.parameters.set(name, view);
  }
  return flat;
}
