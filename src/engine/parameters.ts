import type { Graph } from "./graph.ts";
import type { Shape, Tensor } from "./tensor.ts";
import { sizeOf, zeros } from "./tensor.ts";

export interface Segment {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
}

/**
 * Arrays that lie one behind the other in a single Float32Array: optimisers and proximal steps are one pass over
 * `values`, a checkpoint is one slice, and every segment is also a tensor of its own (a view, no copy).
 */
export interface FlatArrays {
  readonly values: Float32Array;
  readonly segments: readonly Segment[];
  readonly tensors: ReadonlyMap<string, Tensor<"float32">>;
  /** The same views by name. */
  readonly arrays: Readonly<Record<string, Float32Array>>;
}

/** Zero-filled arrays with the layout of `shapes`. */
export function flatArrays(shapes: Iterable<readonly [string, Shape]>): FlatArrays {
  const segments: Segment[] = [];
  let offset = 0;
  for (const [name, shape] of shapes) {
    const length = sizeOf(shape);
    segments.push({ name, shape, offset, length });
    offset += length;
  }
  const values = zeros([offset]).data;
  const tensors = new Map(
    segments.map((s) => [
      s.name,
      { dtype: "float32" as const, shape: s.shape, data: values.subarray(s.offset, s.offset + s.length) },
    ]),
  );
  const arrays = Object.fromEntries([...tensors].map(([name, t]) => [name, t.data]));
  return { values, segments, tensors, arrays };
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
