import { expect, test } from "vitest";
import type { Value } from "../../../src/engine/graph.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { apply, defineOperator } from "../../../src/engine/operators/operator.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";

const positive = (x: number) => Math.abs(x) + 0.3;
const inside = (x: number) => 0.9 * Math.tanh(x);
/** Away from the kinks at integers, where central differences straddle two slopes. */
const offKinks = (x: number) => (Math.abs(x - Math.round(x)) < 0.05 ? x + 0.1 : x);

const unaryCase = (f: (x: Value) => Value, domain?: (x: number) => number): GradientCase => ({
  shapes: [[3, 4]],
  build: ([x]) => f(x),
  domain,
});

const cases: Record<string, GradientCase> = {
  neg: unaryCase(op.neg),
  abs: unaryCase(op.abs, offKinks),
  exp: unaryCase(op.exp),
  log: unaryCase(op.log, positive),
  sqrt: unaryCase(op.sqrt, positive),
  reciprocal: unaryCase(op.reciprocal, positive),
  erf: unaryCase(op.erf),
  sin: unaryCase(op.sin),
  cos: unaryCase(op.cos),
  tan: unaryCase(op.tan, inside),
  asin: unaryCase(op.asin, inside),
  acos: unaryCase(op.acos, inside),
  atan: unaryCase(op.atan),
  sinh: unaryCase(op.sinh),
  cosh: unaryCase(op.cosh),
  tanh: unaryCase(op.tanh),
  asinh: unaryCase(op.asinh),
  acosh: unaryCase(op.acosh, (x) => 1.1 + Math.abs(x)),
  atanh: unaryCase(op.atanh, inside),
  sigmoid: unaryCase(op.sigmoid),
  softplus: unaryCase(op.softplus),
  relu: unaryCase(op.relu, offKinks),
  leakyRelu: unaryCase((x) => op.leakyRelu(x, { alpha: 0.2 }), offKinks),
  elu: unaryCase((x) => op.elu(x, { alpha: 0.7 }), offKinks),
  hardSigmoid: unaryCase((x) => op.hardSigmoid(x, { alpha: 0.25, beta: 0.5 }), offKinks),
  hardSwish: unaryCase(
    (x) => op.hardSwish(x),
    (x) => offKinks(3 * x),
  ),
  clip: unaryCase((x) => op.clip(x, -0.5, 0.7)),
  identity: unaryCase(op.identity),
  add: { shapes: [[2, 3], [3]], build: ([a, b]) => op.add(a, b) },
  sub: {
    shapes: [
      [2, 1, 3],
      [4, 1],
    ],
    build: ([a, b]) => op.sub(a, b),
  },
  mul: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: ([a, b]) => op.mul(a, b),
  },
  div: { shapes: [[2, 3], [3]], build: ([a, b]) => op.div(a, b), domain: positive },
  pow: { shapes: [[2, 3], [3]], build: ([a, b]) => op.pow(a, b), domain: positive },
  square: { shapes: [[5]], build: ([a]) => op.pow(a, 2) },
  prelu: {
    shapes: [
      [2, 3, 4],
      [3, 1],
    ],
    build: ([x, s]) => op.prelu(x, s),
    domain: offKinks,
  },
  sum: { shapes: [[2, 3], [3], [1]], build: (v) => op.sum(...v) },
  maximum: { shapes: [[2, 3], [3]], build: (v) => op.maximum(...v) },
  minimum: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: (v) => op.minimum(...v),
  },
  where: {
    shapes: [[2, 3], [3]],
    build: ([a, b]) => op.where(op.greater(a, 0), op.mul(a, b), b),
    domain: offKinks,
  },
  reduceSum: { shapes: [[2, 3, 4]], build: ([x]) => op.reduceSum(x, [1]) },
  reduceMean: { shapes: [[2, 3, 4]], build: ([x]) => op.reduceMean(x, [0, -1], { keepDims: true }) },
  reduceMax: { shapes: [[2, 3, 4]], build: ([x]) => op.reduceMax(x, [2]) },
  reduceMin: { shapes: [[2, 3, 4]], build: ([x]) => op.reduceMin(x) },
  reduceProd: { shapes: [[2, 3]], build: ([x]) => op.reduceProd(x, [1]), domain: positive },
  reduceSumSquare: { shapes: [[2, 3]], build: ([x]) => op.reduceSumSquare(x, [0]) },
  reduceL1: { shapes: [[2, 3]], build: ([x]) => op.reduceL1(x, [1]), domain: offKinks },
  reduceL2: { shapes: [[2, 3]], build: ([x]) => op.reduceL2(x, [1]) },
  logSumExp: { shapes: [[2, 3, 2]], build: ([x]) => op.logSumExp(x, [1, 2]) },
  matmul: {
    shapes: [
      [3, 4],
      [4, 2],
    ],
    build: ([a, b]) => op.matmul(a, b),
  },
  "matmul, shared right": {
    shapes: [
      [2, 5, 3, 4],
      [4, 2],
    ],
    build: ([a, b]) => op.matmul(a, b),
  },
  "matmul, batched": {
    shapes: [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
    build: ([a, b]) => op.matmul(a, b),
  },
  "matmul, vectors": { shapes: [[4], [3, 4, 2]], build: ([a, b]) => op.matmul(a, b) },
  "matmul, right vector": { shapes: [[3, 4], [4]], build: ([a, b]) => op.matmul(a, b) },
  gemm: { shapes: [[3, 4], [4, 2], [2]], build: ([a, b, c]) => op.gemm(a, b, { c, alpha: 0.5, beta: 2 }) },
  "gemm, A transposed": {
    shapes: [
      [4, 3],
      [4, 2],
      [3, 1],
    ],
    build: ([a, b, c]) => op.gemm(a, b, { c, transA: true }),
  },
  "gemm, B transposed": {
    shapes: [
      [3, 4],
      [2, 4],
    ],
    build: ([a, b]) => op.gemm(a, b, { transB: true }),
  },
  "gemm, both": {
    shapes: [
      [4, 3],
      [2, 4],
    ],
    build: ([a, b]) => op.gemm(a, b, { transA: true, transB: true, alpha: 3 }),
  },
  reshape: { shapes: [[2, 3, 4]], build: ([x]) => op.reshape(x, [4, -1]) },
  flatten: { shapes: [[2, 3, 4]], build: ([x]) => op.flatten(x, 2) },
  squeeze: { shapes: [[2, 1, 3, 1]], build: ([x]) => op.squeeze(x, [1, -1]) },
  unsqueeze: { shapes: [[2, 3]], build: ([x]) => op.unsqueeze(x, [0, -1]) },
  transpose: { shapes: [[2, 3, 4]], build: ([x]) => op.transpose(x, [2, 0, 1]) },
  expand: { shapes: [[3, 1]], build: ([x]) => op.expand(x, [2, 3, 4]) },
  tile: { shapes: [[2, 3]], build: ([x]) => op.tile(x, [3, 2]) },
  concat: {
    shapes: [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    build: (v) => op.concat(v, 1),
  },
  split: {
    shapes: [[2, 5]],
    build: ([x]) => op.sub(op.split(x, [2, 1, 2], 1)[0], op.mul(op.split(x, [2, 1, 2], 1)[2], 3)),
  },
  slice: {
    shapes: [[5, 6]],
    build: ([x]) => op.slice(x, { 0: { start: 1, end: -1 }, 1: { start: 1, step: 2 } }),
  },
  "slice, backwards": {
    shapes: [[5, 7]],
    build: ([x]) => op.slice(x, { 0: { start: -1, end: -6, step: -1 }, 1: { start: 5, end: 0, step: -2 } }),
  },
  pad: { shapes: [[2, 3]], build: ([x]) => op.pad(x, [1, 0], [0, 2], 0.5) },
  cast: {
    shapes: [[3]],
    build: ([x]) => op.cast(op.mul(op.cast(x, "float64"), op.cast(x, "float64")), "float32"),
  },
};

test.each(Object.entries(cases))("%s: gradient rule agrees with central differences", (_, c) => {
  expect(gradientError(c)).toBeLessThan(1e-6);
});

test("a wrong gradient rule is caught", () => {
  defineOperator({
    name: "PlantedSquare",
    infer: ({ inputs: [x] }) => [x!],
    gradient: ({ inputs: [x], gradients: [dy] }) => [op.mul(dy!, x)],
    evaluate: ({ inputs: [x] }) => [{ shape: x.shape, data: x.data.map((v) => v * v) }],
  });
  const planted: GradientCase = { shapes: [[3]], build: ([x]) => apply(x.graph, "PlantedSquare", [x])[0] };
  expect(gradientError(planted)).toBeGreaterThan(0.1);
});
