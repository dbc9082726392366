import type { Graph, Value } from "../engine/graph.ts";
import { constant } from "../engine/graph.ts";
import { concat, gather, matmul, mul, reshape } from "../engine/operators/index.ts";
import type { LowerCall } from "../engine/operators/operator.ts";
import { apply, defineOperator, INTERNAL_DOMAIN, numberAttribute } from "../engine/operators/operator.ts";
import type { Tensor } from "../engine/tensor.ts";
import { tensor } from "../engine/tensor.ts";
import type { SparseMatrix } from "./sparse-matrix.ts";

/**
 * Entries a row that the rows of one gather are filled up to. Rows with equally many run together: gathers and sums are
 * several times as fast in ONNX Runtime as scattering, which is also what the gradient of a gather would be.
 */
const WIDTHS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];

// Inputs: x, rows of the entries, columns, values; the last three constant. The gradient is the product with the transpose.
defineOperator({
  name: "SparseProduct",
  domain: INTERNAL_DOMAIN,
  attributes: { rows: "int" },
  infer: ({ inputs: [x], attributes }) => [
    { dtype: x!.dtype, shape: [numberAttribute(attributes, "rows", 0), x!.shape[1]] },
  ],
  gradient: ({ inputs: [x, at, from, values], gradients: [dy] }) => [
    apply(x.graph, "SparseProduct", [dy!, from, at, values], { rows: x.shape[0] })[0],
  ],
  evaluate: ({ inputs: [x, at, from, values], outputTypes: [{ shape }] }) => {
    const [rows, width] = shape;
    const data = new Float64Array(rows * width);
    values.data.forEach((value, e) => {
      for (let c = 0; c < width; c++)
        data[at.data[e] * width + c] += value * x.data[from.data[e] * width + c];
    });
    return [{ shape, data }];
  },
  lower: (call) => [gathered(call)],
});

/** A x for a constant sparse A [m, n] and x [n, width]: [m, width]. Differentiable in x. */
export function sparseProduct({ rows, at, from, values }: SparseMatrix, x: Value): Value {
  const indices = (data: Int32Array) => constant(x.graph, { dtype: "int32", shape: [data.length], data });
  return apply(
    x.graph,
    "SparseProduct",
    [x, indices(at), indices(from), constant(x.graph, tensor("float32", [values.length], values))],
    { rows },
  )[0];
}

function gathered({ graph, inputs, outputs: [{ shape }] }: LowerCall): Value {
  const [x, at, from, values] = inputs as Value[];
  const [rows] = shape;
  const entries = entriesOfRows(rows, numbersOf(graph, at));
  const columns = numbersOf(graph, from);
  const weights = numbersOf(graph, values);
  const order = Array.from(entries, (_, row) => row).sort((a, b) => entries[a].length - entries[b].length);
  const place = new Int32Array(rows);
  const parts: Value[] = [];
  for (let start = 0; start < rows; ) {
    const width = widthFor(entries[order[start]].length);
    let end = start;
    while (end < rows && entries[order[end]].length <= width) place[order[end]] = end++;
    const indices = new Int32Array((end - start) * width);
    const factors = new Float32Array(indices.length);
    for (let i = start; i < end; i++)
      entries[order[i]].forEach((e, k) => {
        indices[(i - start) * width + k] = columns[e];
        factors[(i - start) * width + k] = weights[e];
      });
    const picked = gather(
      x,
      constant(graph, {
        dtype: "int32",
        shape: width === 1 ? [end - start] : [end - start, width],
        data: indices,
      }),
    );
    parts.push(summed(picked, factors));
    start = end;
  }
  const sorted = concat(parts, 0);
  return place.every((p, row) => p === row)
    ? sorted
    : gather(sorted, constant(graph, { dtype: "int32", shape: [rows], data: place }));
}

/** Σ over the entries of each row: of [rows, entries, width], or of [rows, width] where there is one entry a row. */
function summed(picked: Value, factors: Float32Array): Value {
  const { graph } = picked;
  const [rows, entries, width] = picked.shape;
  if (width !== undefined) {
    const weights = constant(graph, tensor("float32", [rows, 1, entries], factors));
    return reshape(matmul(weights, picked), [rows, width]);
  }
  return factors.every((f) => f === 1)
    ? picked
    : mul(picked, constant(graph, tensor("float32", [rows, 1], factors)));
}

function numbersOf(graph: Graph, value: Value): ArrayLike<number> {
  const found: Tensor | undefined = graph.constants.get(value.name);
  if (!found) throw new Error(`the entries of a sparse matrix must be constant; "${value.name}" is not`);
  return found.data as Int32Array;
}

function entriesOfRows(rows: number, at: ArrayLike<number>): number[][] {
  const entries: number[][] = Array.from({ length: rows }, () => []);
  for (let e = 0; e < at.length; e++) entries[at[e]].push(e);
  return entries;
}

/** The next width; beyond the table, the count itself. */
function widthFor(count: number): number {
  return WIDTHS.find((w) => w >= count) ?? count;
}
