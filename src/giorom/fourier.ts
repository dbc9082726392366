import type { Graph, Value } from "../engine/graph.ts";
import { constant } from "../engine/graph.ts";
import { concat, gather, matmul, neg, reshape, transpose } from "../engine/operators/index.ts";
import { sizeOf, tensor } from "../engine/tensor.ts";

/** Frequencies kept on every axis: both signs on all but the last, non-negative on the last. */
export type Frequencies = readonly (readonly number[])[];

/** `signed` lowest frequencies of both signs (−signed/2 …) on all axes but the last, 0 … last − 1 on that. */
export function lowFrequencies(dim: number, signed: number, last: number): Frequencies {
  const both = Array.from({ length: signed }, (_, i) => (i < signed / 2 ? i : i - signed));
  return Array.from({ length: dim }, (_, k) =>
    k < dim - 1 ? both : Array.from({ length: last }, (_, i) => i),
  );
}

/** Those that a grid of `size` nodes per axis can tell apart. */
export function representable(frequencies: Frequencies, size: number): Frequencies {
  const last = frequencies.length - 1;
  return frequencies.map((list, axis) =>
    list.filter((k) => k >= -size / 2 && (axis === last ? k <= size / 2 : k < size / 2)),
  );
}

/** A constant matrix [rows, columns]. */
function matrix(
  graph: Graph,
  rows: number,
  columns: number,
  at: (row: number, column: number) => number,
): Value {
  const data = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) data[r * columns + c] = at(r, c);
  return constant(graph, tensor("float32", [rows, columns], data));
}

/**
 * Coefficients of z [batch, size, …, size, width] at the kept frequencies, [batch, 2, frequencies of every axis …, width], real and
 * imaginary part, divided by the number of nodes. Truncated transforms are small matrices, one product an axis; the axis of
 * the real and imaginary part always stands beside the one that comes next.
 */
export function forwardFourier(z: Value, frequencies: Frequencies): Value {
  const [batch, size] = z.shape;
  const width = z.shape[z.shape.length - 1];
  const dim = frequencies.length;
  let x = reshape(z, [batch * size ** (dim - 1), size, width]);
  for (let axis = dim - 1; axis >= 0; axis--) {
    const kept = frequencies[axis];
    const complex = axis < dim - 1;
    const rows = 2 * kept.length;
    const columns = complex ? 2 * size : size;
    const turn = matrix(z.graph, rows, columns, (row, column) => {
      const part = Math.floor(row / kept.length);
      const [node, from] = complex ? [column >> 1, column & 1] : [column, 0];
      const angle = (-2 * Math.PI * kept[row % kept.length] * node) / size;
      return (part === from ? Math.cos(angle) : part === 1 ? Math.sin(angle) : -Math.sin(angle)) / size;
    });
    const inner = sizeOf(x.shape) / (batch * size ** axis * columns);
    x = matmul(turn, reshape(x, [batch * size ** axis, columns, inner]));
  }
  return reshape(x, [batch, 2, ...frequencies.map((list) => list.length), width]);
}

/** The reverse: a real field from coefficients at the kept frequencies. Those with a negative last one are the conjugates. */
export function inverseFourier(coefficients: Value, frequencies: Frequencies, size: number): Value {
  const batch = coefficients.shape[0];
  const width = coefficients.shape[coefficients.shape.length - 1];
  const dim = frequencies.length;
  let x = coefficients;
  for (let axis = 0; axis < dim; axis++) {
    const kept = frequencies[axis];
    const last = axis === dim - 1;
    const columns = 2 * kept.length;
    const turn = matrix(x.graph, last ? size : 2 * size, columns, (row, column) => {
      const [node, part] = last ? [row, 0] : [row >> 1, row & 1];
      const from = Math.floor(column / kept.length);
      const k = kept[column % kept.length];
      const angle = (2 * Math.PI * k * node) / size;
      const twice = last && k !== 0 && 2 * k !== size ? 2 : 1;
      return twice * (part === from ? Math.cos(angle) : part === 1 ? Math.sin(angle) : -Math.sin(angle));
    });
    const outer = batch * size ** axis;
    x = matmul(turn, reshape(x, [outer, columns, sizeOf(x.shape) / (outer * columns)]));
  }
  return reshape(x, [batch, ...new Array<number>(dim).fill(size), width]);
}

/** Complex matrices [modes, in, out] applied to coefficients [batch, 2, modes …, in]; gives the same shape with `out`. */
export function mixModes(coefficients: Value, real: Value, imaginary: Value): Value {
  const { shape } = coefficients;
  const batch = shape[0];
  const [modes, inputs, outputs] = real.shape;
  const rows = reshape(transpose(reshape(coefficients, [batch, 2, modes, inputs]), [2, 0, 1, 3]), [
    modes,
    batch,
    2 * inputs,
  ]);
  const weights = concat([concat([real, imaginary], 2), concat([neg(imaginary), real], 2)], 1);
  const mixed = transpose(reshape(matmul(rows, weights), [modes, batch, 2, outputs]), [1, 2, 0, 3]);
  return reshape(mixed, [batch, 2, ...shape.slice(2, -1), outputs]);
}

/** The weights of the representable modes out of those of all, [modes, in, out]. */
export function modesOf(weights: Value, all: Frequencies, kept: Frequencies): Value {
  if (all.every((list, k) => list.length === kept[k].length)) return weights;
  const positions = kept.map((list, k) => list.map((f) => all[k].indexOf(f)));
  const indices = positions.reduce<number[]>(
    (outer, inner, k) => outer.flatMap((o) => inner.map((i) => o * all[k].length + i)),
    [0],
  );
  return gather(weights, indices);
}
