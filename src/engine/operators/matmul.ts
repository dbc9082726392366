import type { Value } from "../graph.ts";
import { broadcastShapes, broadcastStrides, forEachIndex, offsetOf } from "../shapes.ts";
import { sizeOf } from "../tensor.ts";
import { mul } from "./arithmetic.ts";
import type { Numeric } from "./operator.ts";
import { apply, defineOperator, numberAttribute } from "./operator.ts";
import { sumTo } from "./reduction.ts";
import { reshape } from "./reshape.ts";
import { transpose } from "./transpose.ts";

/** Swaps the last two axes. */
function transposeLast(x: Value): Value {
  const rank = x.shape.length;
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/**
 * The same with a reshape between it and the product that reads it. Else ONNX Runtime fuses the two, and a transposed
 * left side costs batches of small products more than the transposition does.
 */
function transposedApart(x: Value): Value {
  const [rows, columns] = x.shape.slice(-2);
  const batch = x.shape.slice(0, -2);
  const turned = transposeLast(reshape(x, [...(batch.length === 1 ? [1, -1] : [-1]), rows, columns]));
  return reshape(turned, [...batch, columns, rows]);
}

defineOperator({
  name: "MatMul",
  infer: ({ inputs: [a, b] }) => {
    const [left, right] = [a!.shape, b!.shape];
    if (left.length === 0 || right.length === 0) throw new Error("a scalar cannot be a matrix operand");
    const inner = left[left.length - 1];
    const other = right.length === 1 ? right[0] : right[right.length - 2];
    if (inner !== other)
      throw new Error(`inner dimensions of [${left}] and [${right}] differ: ${inner} and ${other}`);
    const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
    const rows = left.length > 1 ? [left[left.length - 2]] : [];
    const columns = right.length > 1 ? [right[right.length - 1]] : [];
    return [{ dtype: a!.dtype, shape: [...batch, ...rows, ...columns] }];
  },
  gradient: ({ inputs: [a, b], gradients: [dy], wanted }) => {
    const left = a.shape.length === 1 ? reshape(a, [1, a.shape[0]]) : a;
    const right = b.shape.length === 1 ? reshape(b, [b.shape[0], 1]) : b;
    const batch = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2));
    const rows = left.shape[left.shape.length - 2];
    const inner = right.shape[right.shape.length - 2];
    const columns = right.shape[right.shape.length - 1];
    const d = reshape(dy!, [...batch, rows, columns]);
    // A shared right matrix sees every row of the batch: one flat product instead of a batched one and a sum.
    const flat = right.shape.length === 2 && left.shape.length > 2;
    const da = () =>
      flat
        ? reshape(gemm(reshape(d, [-1, columns]), right, { transB: true }), left.shape)
        : sumTo(matmul(d, transposeLast(right)), left.shape);
    const db = () =>
      flat || (left.shape.length === 2 && right.shape.length === 2)
        ? gemm(reshape(left, [-1, inner]), reshape(d, [-1, columns]), { transA: true })
        : sumTo(matmul(transposedApart(left), d), right.shape);
    const da2 = () =>
      right.shape.length === 2 && left.shape.length === 2 ? gemm(d, right, { transB: true }) : da();
    return [wanted[0] ? reshape(da2(), a.shape) : undefined, wanted[1] ? reshape(db(), b.shape) : undefined];
  },
  evaluate: ({ inputs: [a, b], outputTypes: [type] }) => {
    const left = a.shape.length === 1 ? { ...a, shape: [1, a.shape[0]] } : a;
    const right = b.shape.length === 1 ? { ...b, shape: [b.shape[0], 1] } : b;
    return [{ shape: type.shape, data: batchedProduct(left, right) }];
  },
});

function batchedProduct(a: Numeric, b: Numeric): Float64Array {
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [m, k] = a.shape.slice(-2);
  const n = b.shape[b.shape.length - 1];
  const strideA = broadcastStrides(a.shape.slice(0, -2), batch);
  const strideB = broadcastStrides(b.shape.slice(0, -2), batch);
  const data = new Float64Array(sizeOf(batch) * m * n);
  forEachIndex(batch, (index, item) => {
    const atA = offsetOf(index, strideA) * m * k;
    const atB = offsetOf(index, strideB) * k * n;
    for (let i = 0; i < m; i++)
      for (let p = 0; p < k; p++) {
        const v = a.data[atA + i * k + p];
        for (let j = 0; j < n; j++) data[(item * m + i) * n + j] += v * b.data[atB + p * n + j];
      }
  });
  return data;
}

/** Matrix product with NumPy's rules: [..., m, k] × [..., k, n] → [..., m, n], leading axes broadcast. */
export function matmul(a: Value, b: Value): Value {
  return apply(a.graph, "MatMul", [a, b])[0];
}

defineOperator({
  name: "Gemm",
  attributes: { alpha: "float", beta: "float", transA: "int", transB: "int" },
  infer: ({ inputs: [a, b, c], attributes }) => {
    if (a!.shape.length !== 2 || b!.shape.length !== 2)
      throw new Error(`operands [${a!.shape}] and [${b!.shape}] must be matrices`);
    const [m, k] = attributes.transA ? [a!.shape[1], a!.shape[0]] : a!.shape;
    const [k2, n] = attributes.transB ? [b!.shape[1], b!.shape[0]] : b!.shape;
    if (k !== k2)
      throw new Error(`inner dimensions differ: ${k} and ${k2} (operands [${a!.shape}] and [${b!.shape}])`);
    if (c && broadcastShapes(c.shape, [m, n]).join() !== `${m},${n}`)
      throw new Error(`C of shape [${c.shape}] does not broadcast to [${m},${n}]`);
    return [{ dtype: a!.dtype, shape: [m, n] }];
  },
  gradient: ({ inputs: [a, b, c], gradients, attributes, wanted }) => {
    const dy = gradients[0]!;
    const alpha = numberAttribute(attributes, "alpha", 1);
    const beta = numberAttribute(attributes, "beta", 1);
    const transA = attributes.transA === 1;
    const transB = attributes.transB === 1;
    const da = () =>
      transA ? gemm(b, dy, { alpha, transA: transB, transB: true }) : gemm(dy, b, { alpha, transB: !transB });
    const db = () =>
      transB ? gemm(dy, a, { alpha, transA: true, transB: transA }) : gemm(a, dy, { alpha, transA: !transA });
    const dc = () => sumTo(beta === 1 ? dy : mul(dy, beta), c.shape);
    return [wanted[0] ? da() : undefined, wanted[1] ? db() : undefined, c && wanted[2] ? dc() : undefined];
  },
  evaluate: ({ inputs: [a, b, c], attributes, outputTypes: [type] }) => {
    const turn = (x: Numeric, swap: boolean): Numeric => {
      if (!swap) return x;
      const [rows, columns] = x.shape;
      const data = new Float64Array(x.data.length);
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) data[j * rows + i] = x.data[i * columns + j];
      return { shape: [columns, rows], data };
    };
    const product = batchedProduct(turn(a, attributes.transA === 1), turn(b, attributes.transB === 1));
    const alpha = numberAttribute(attributes, "alpha", 1);
    const beta = numberAttribute(attributes, "beta", 1);
    const strides = c && broadcastStrides(c.shape, type.shape);
    const data = new Float64Array(product.length);
    forEachIndex(type.shape, (index, flat) => {
      data[flat] = alpha * product[flat] + (c ? beta * c.data[offsetOf(index, strides)] : 0);
    });
    return [{ shape: type.shape, data }];
  },
});

export interface GemmOptions {
  /** Added to the product; broadcasts to [m, n]. */
  c?: Value;
  alpha?: number;
  beta?: number;
  transA?: boolean;
  transB?: boolean;
}

/** alpha · A′ B′ + beta · C for matrices; A′ is A or its transpose. */
export function gemm(
  a: Value,
  b: Value,
  { c, alpha = 1, beta = 1, transA = false, transB = false }: GemmOptions = {},
): Value {
  return apply(a.graph, "Gemm", c ? [a, b, c] : [a, b], {
    ...(alpha !== 1 && { alpha }),
    ...(beta !== 1 && { beta }),
    ...(transA && { transA: 1 }),
    ...(transB && { transB: 1 }),
  })[0];
}
