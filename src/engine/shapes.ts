import type { Shape } from "./tensor.ts";

/** The common shape of operands under multidirectional (NumPy) broadcasting. */
export function broadcastShapes(...shapes: Shape[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes)
    for (let i = 0; i < shape.length; i++) {
      const axis = rank - shape.length + i;
      if (shape[i] === 1 || shape[i] === result[axis]) continue;
      if (result[axis] !== 1)
        throw new Error(`shapes ${shapes.map((s) => `[${s}]`).join(" and ")} do not broadcast`);
      result[axis] = shape[i];
    }
  return result;
}

/** Axes along which an operand of shape `from` was repeated to reach `to`. */
export function broadcastAxes(from: Shape, to: Shape): number[] {
  const axes: number[] = [];
  const lead = to.length - from.length;
  for (let i = 0; i < to.length; i++) if (i < lead || (from[i - lead] === 1 && to[i] !== 1)) axes.push(i);
  return axes;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

/** Strides that read an array of shape `from` as if it had shape `to`: 0 along repeated axes. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const own = stridesOf(from);
  const lead = to.length - from.length;
  return Array.from(to, (_, i) => (i < lead || from[i - lead] === 1 ? 0 : own[i - lead]));
}

/** Calls `visit` with the coordinates of every element in row-major order (the array is reused). */
export function forEachIndex(shape: Shape, visit: (index: readonly number[], flat: number) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  const size = shape.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < size; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

/** Offset of coordinates under strides. */
export function offsetOf(index: readonly number[], strides: readonly number[]): number {
  let offset = 0;
  for (let i = 0; i < index.length; i++) offset += index[i] * strides[i];
  return offset;
}
