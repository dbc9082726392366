import fc from "fast-check";
import { expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input as declare, output } from "../../../src/engine/graph.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { apply, defineOperator } from "../../../src/engine/operators/operator.ts";
import { simplify } from "../../../src/engine/simplify.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { checkGraph, gradientError } from "./gradient-check.ts";
import { differenceOf, runtimeError } from "./runtime-check.ts";

/** One step of a composition: which operator, on which earlier values, with which options. */
interface Step {
  kind: number;
  a: number;
  b: number;
  option: number;
}

type Rule = (a: Value, b: Value, option: number) => Value;

const axisOf = (x: Value, option: number) => option % x.shape.length;
const bounded = (x: Value) => op.tanh(x);
const positive = (x: Value) => op.add(op.softplus(x), 0.5);
/** `x` cut or repeated to the given shape, so that any two values can meet. */
function fitted(x: Value, shape: readonly number[]): Value {
  const flat = op.reshape(x, [-1]);
  const size = sizeOf(shape);
  const times = Math.ceil(size / flat.shape[0]);
  const long = times > 1 ? op.tile(flat, [times]) : flat;
  return op.reshape(long.shape[0] > size ? op.slice(long, { 0: { end: size } }) : long, shape);
}
const asMatrix = (x: Value) => op.reshape(x, [x.shape[0], -1]);
const images = (x: Value) => fitted(x, [1, 2, 4, 3]);
const numbers = (graph: Graph, values: number[]) => constant(graph, tensor("int64", [values.length], values));

/** Smooth everywhere in the range that bounded inputs reach: a central difference across a kink says nothing. */
const rules: Record<string, Rule> = {
  add: (a, b) => op.add(a, fitted(b, a.shape)),
  sub: (a, b) => op.sub(a, fitted(b, a.shape.slice(1))),
  mul: (a, b) => op.mul(bounded(a), fitted(b, [a.shape[0], ...a.shape.slice(1).map(() => 1)])),
  div: (a, b) => op.div(a, positive(fitted(b, a.shape))),
  pow: (a, b) => op.pow(positive(bounded(a)), bounded(fitted(b, a.shape))),
  sum: (a, b) => op.sum(a, fitted(b, a.shape), a),
  exp: (a) => op.exp(bounded(a)),
  log: (a) => op.log(positive(a)),
  sqrt: (a) => op.sqrt(positive(a)),
  tanh: (a) => op.tanh(a),
  sigmoid: (a) => op.sigmoid(a),
  sin: (a) => op.sin(a),
  erf: (a) => op.erf(a),
  gelu: (a) => op.gelu(a),
  silu: (a) => op.silu(a),
  acosh: (a) => op.acosh(op.add(positive(a), 1)),
  matmul: (a, b) => {
    const left = asMatrix(bounded(a));
    return op.matmul(left, fitted(bounded(b), [left.shape[1], 3]));
  },
  gemm: (a, b, option) => {
    const left = asMatrix(bounded(a));
    const right = fitted(bounded(b), [2, left.shape[1]]);
    return op.gemm(left, right, { transB: true, alpha: 0.5, c: option % 2 ? fitted(a, [2]) : undefined });
  },
  einsum: (a, b) => {
    const left = asMatrix(bounded(a));
    return op.einsum("ij,bkj->ibk", left, fitted(bounded(b), [2, 2, left.shape[1]]));
  },
  reduceSum: (a, _, option) => op.reduceSum(a, [axisOf(a, option)], { keepDims: true }),
  reduceMean: (a, _, option) => op.reduceMean(a, [axisOf(a, option)], { keepDims: true }),
  reduceL2: (a, _, option) => op.reduceL2(positive(a), [axisOf(a, option)], { keepDims: true }),
  reduceProd: (a, _, option) =>
    op.reduceProd(op.add(op.mul(bounded(a), 0.5), 1), [axisOf(a, option)], { keepDims: true }),
  logSumExp: (a, _, option) => op.logSumExp(a, [axisOf(a, option)], { keepDims: true }),
  softmax: (a, _, option) => op.softmax(a, axisOf(a, option)),
  logSoftmax: (a, _, option) => op.logSoftmax(a, axisOf(a, option)),
  layerNorm: (a, b) => {
    const width = a.shape.slice(-1);
    const bias = fitted(b, width);
    return op.layerNorm(op.add(a, op.sin(fitted(b, a.shape))), positive(bias), { bias, epsilon: 0.1 });
  },
  rmsNorm: (a, b) => op.rmsNorm(a, fitted(b, a.shape.slice(-1)), { epsilon: 0.1 }),
  instanceNorm: (a, b) => op.instanceNorm(images(a), fitted(b, [2]), fitted(a, [2]), { epsilon: 0.1 }),
  batchNormTraining: (a, b) =>
    op.batchNormTraining(images(a), fitted(b, [2]), fitted(a, [2]), { epsilon: 0.1 }).y,
  softTargetCrossEntropy: (a, b) =>
    op.reshape(op.softTargetCrossEntropy(asMatrix(a), op.softmax(fitted(b, asMatrix(a).shape))), [1, 1]),
  meanSquaredError: (a, b) => op.reshape(op.meanSquaredError(a, fitted(b, a.shape)), [1]),
  transpose: (a) => op.transpose(a),
  reshape: (a) => op.reshape(a, [-1, a.shape[0]]),
  concat: (a, b, option) => op.concat([a, fitted(b, a.shape)], axisOf(a, option)),
  split: (a) => {
    const [x, y] = op.split(op.concat([a, a], 0), [1, 2 * a.shape[0] - 1], 0);
    return op.mul(bounded(y), x);
  },
  slice: (a, _, option) =>
    op.slice(a, {
      [axisOf(a, option)]: {
        step: option % 3 ? 1 : -1,
        start: option % 3 ? 0 : -1,
        end: option % 3 ? 2 : -9,
      },
    }),
  pad: (a) =>
    op.pad(
      a,
      a.shape.map((_, i) => (i === 0 ? 1 : 0)),
      a.shape.map(() => 0),
      0.5,
    ),
  expand: (a) => op.expand(op.unsqueeze(a, [1]), [a.shape[0], 2, ...a.shape.slice(1)]),
  gather: (a, _, option) => op.gather(a, numbers(a.graph, [0, -1, 0]), axisOf(a, option)),
  scatterAdd: (a, b) => op.scatterAdd(a, numbers(a.graph, [0, -1, 0]), fitted(b, [3, ...a.shape.slice(1)])),
  gatherElements: (a, _, option) =>
    op.gatherElements(
      a,
      constant(
        a.graph,
        tensor(
          "int64",
          a.shape,
          Array.from({ length: sizeOf(a.shape) }, (_, i) => (i % 2) * -1),
        ),
      ),
      axisOf(a, option),
    ),
  cumsum: (a, _, option) =>
    op.cumsum(a, axisOf(a, option), { exclusive: option % 2 === 0, reverse: option % 4 > 1 }),
  trilu: (a, _, option) => op.trilu(asMatrix(a), { upper: option % 2 === 0 }),
  conv: (a, b, option) => op.conv(images(bounded(a)), fitted(bounded(b), [2, 2, 2, 2]), { pads: option % 2 }),
  convTranspose: (a, b) =>
    op.convTranspose(images(bounded(a)), fitted(bounded(b), [2, 1, 2, 2]), { strides: 2 }),
  averagePool: (a) => op.averagePool(images(a), [2, 2]),
  depthToSpace: (a) => op.depthToSpace(fitted(a, [1, 4, 2, 1]), 2),
  resize: (a, _, option) => op.resize(images(a), [1, 2, 8, 5], { mode: option % 2 ? "linear" : "nearest" }),
};

const names = Object.keys(rules);
const LARGEST = 200;

/** Builds the steps; every value that nothing reads in the end is part of the result, so no rule goes unchecked. */
function compose(steps: readonly Step[], table: readonly Rule[]) {
  return (inputs: Value[]): Value => {
    const values = [...inputs];
    const unread = new Set(inputs);
    for (const { kind, a, b, option } of steps) {
      const [x, y] = [values[values.length - 1 - (a % values.length)], values[b % values.length]];
      // Values grow with concatenations and products; beyond this a check takes longer than it teaches.
      const result = table[kind % table.length](x, y, option);
      unread.delete(x);
      const next = sizeOf(result.shape) > LARGEST ? fitted(result, [5, 4]) : result;
      values.push(next);
      unread.add(next);
    }
    return [...unread].map((v) => op.reduceMean(op.sin(v))).reduce((x, y) => op.add(x, y));
  };
}

const step = fc.record({ kind: fc.nat(1000), a: fc.nat(3), b: fc.nat(20), option: fc.nat(11) });
const composition = fc.array(step, { minLength: 3, maxLength: 12 });
const caseOf = (steps: readonly Step[], table: readonly Rule[], seed: number): GradientCase => ({
  shapes: [
    [2, 3],
    [3, 2, 2],
  ],
  build: compose(steps, table),
  seed,
});
const describeSteps = (steps: readonly Step[]) => steps.map((s) => names[s.kind % names.length]).join(" → ");

test("300 random compositions agree with central differences", () => {
  const used = new Set<string>();
  fc.assert(
    fc.property(composition, fc.nat(1000), (steps, seed) => {
      for (const s of steps) used.add(names[s.kind % names.length]);
      expect(gradientError(caseOf(steps, Object.values(rules), seed)), describeSteps(steps)).toBeLessThan(
        1e-6,
      );
    }),
    { seed: 20260, numRuns: 300, endOnFailure: true },
  );
  expect([...used].sort()).toEqual(names.toSorted());
});

test("100 random compositions, simplified, compute the same", () => {
  fc.assert(
    fc.property(composition, (steps) => {
      const { graph, feeds } = checkGraph(caseOf(steps, Object.values(rules), 1));
      const before = evaluate(graph, feeds);
      simplify(graph);
      const after = evaluate(graph, feeds);
      // Folding rounds constants to float32, as a runtime would.
      for (const name of graph.outputs) expect(differenceOf(after[name], before[name])).toBeLessThan(1e-5);
    }),
    { seed: 7, numRuns: 100, endOnFailure: true },
  );
});

test("40 random compositions run in ONNX Runtime as they evaluate", async () => {
  await fc.assert(
    fc.asyncProperty(composition, async (steps) => {
      expect(await runtimeError(caseOf(steps, Object.values(rules), 1)), describeSteps(steps)).toBeLessThan(
        1e-4,
      );
    }),
    { seed: 3, numRuns: 40, endOnFailure: true },
  );
});

test("one wrong rule anywhere in a composition is caught", () => {
  defineOperator({
    name: "PlantedSoftSign",
    infer: ({ inputs: [x] }) => [x!],
    // The exponent should be 2.
    gradient: ({ inputs: [x], gradients: [dy] }) => [op.div(dy!, op.pow(op.add(op.abs(x), 1), 1.9))],
    evaluate: ({ inputs: [x] }) => [{ shape: x.shape, data: x.data.map((v) => v / (1 + Math.abs(v))) }],
  });
  const planted: Rule = (a) => apply(a.graph, "PlantedSoftSign", [op.add(a, 0.3)])[0];
  let runs = 0;
  let caught = 0;
  fc.assert(
    fc.property(composition, fc.nat(11), (steps, at) => {
      const table = [...Object.values(rules), planted];
      const tainted = steps.map((s, i) => ({
        ...s,
        kind: i === at % steps.length ? table.length - 1 : s.kind % (table.length - 1),
      }));
      runs++;
      if (gradientError(caseOf(tainted, table, 1)) > 1e-6) caught++;
    }),
    { seed: 5, numRuns: 50 },
  );
  // Not all: later steps can make the result insensitive to one value.
  expect(caught / runs).toBeGreaterThan(0.9);
});

test("the generator builds legal graphs only", () => {
  fc.assert(
    fc.property(composition, (steps) => {
      const graph = createGraph("legal");
      const inputs = [declare(graph, "a", [2, 3]), declare(graph, "b", [3, 2, 2])];
      output(compose(steps, Object.values(rules))(inputs));
    }),
    { seed: 9, numRuns: 500 },
  );
});
