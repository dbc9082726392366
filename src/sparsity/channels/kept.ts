import type { Graph } from "../../engine/graph.ts";
import { initializer } from "../../engine/graph.ts";
import { forEachIndex, stridesOf } from "../../engine/shapes.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { allocate, sizeOf } from "../../engine/tensor.ts";
import type { Id } from "./atoms.ts";
import type { Flow } from "./flow.ts";

/** Indices that stay along an axis of a value, ascending. */
export type Kept = (value: string, axis: number) => readonly number[];

/** What stays of every axis when some atoms go. */
export function keptWithout({ atoms, axes }: Flow, removed: ReadonlySet<Id>): Kept {
  const known = new Map<string, readonly number[]>();
  return (value, axis) => {
    const key = `${value}\n${axis}`;
    let list = known.get(key);
    if (!list) {
      list = axes
        .get(value)!
        [axis].flatMap((id, i) => (atoms.roots(id).some((r) => removed.has(r)) ? [] : [i]));
      known.set(key, list);
    }
    return list;
  };
}

export function keptShape(kept: Kept, value: string, shape: Shape): number[] {
  return shape.map((_, axis) => kept(value, axis).length);
}

/** What stays of an initialiser: itself where that is all, undefined where the value is none. */
export function keptTensor(graph: Graph, value: string, kept: Kept): Tensor | undefined {
  const t = initializer(graph, value);
  return t && keptPart(t, value, kept);
}

/** What stays of a tensor that has the axes of a value. */
export function keptPart(t: Tensor, value: string, kept: Kept): Tensor {
  const shape = keptShape(kept, value, t.shape);
  if (shape.join() === t.shape.join()) return t;
  // Behind the last axis that loses something, elements lie side by side as before.
  const axes = shape.findLastIndex((d, axis) => d !== t.shape[axis]) + 1;
  const run = sizeOf(shape.slice(axes));
  const strides = stridesOf(t.shape);
  const offsets = shape.slice(0, axes).map((_, axis) => kept(value, axis).map((i) => i * strides[axis]));
  const data = allocate(t.dtype, sizeOf(shape)) as Float32Array;
  const source = t.data as Float32Array;
  forEachIndex(shape.slice(0, axes), (index, flat) => {
    let from = 0;
    for (let axis = 0; axis < axes; axis++) from += offsets[axis][index[axis]];
    for (let i = 0; i < run; i++) data[flat * run + i] = source[from + i];
  });
  return { dtype: t.dtype, shape, data };
}
