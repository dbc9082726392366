import { describe, expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../../src/engine/graph.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { apply } from "../../../src/engine/operators/operator.ts";
import { createSession } from "../../../src/engine/session.ts";
import type { DType } from "../../../src/engine/tensor.ts";
import { fromNumbers, tensor } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";
import { runtimeDifference, runtimeError } from "./runtime-check.ts";

const ids = (g: Graph, shape: number[], values: number[], dtype: DType = "int64") =>
  constant(g, tensor(dtype, shape, fromNumbers(dtype, values)));
/** Distances between neighbours so large that a finite difference cannot change their order. */
const spread = (x: number) => Math.round(x * 1000) / 10;

const cases: Record<string, GradientCase> = {
  gather: { shapes: [[4, 3]], build: ([x], g) => op.gather(x, ids(g, [2, 2], [3, 0, 3, -1])) },
  "gather, middle axis": {
    shapes: [[2, 4, 3]],
    build: ([x], g) => op.gather(x, ids(g, [3], [1, 1, -4], "int32"), 1),
  },
  "gather, one slice": { shapes: [[2, 4, 3]], build: ([x], g) => op.gather(x, ids(g, [], [2]), -1) },
  "gather, plain numbers": { shapes: [[4]], build: ([x]) => op.gather(x, [2, 2, 1]) },
  "embedding of a large vocabulary": {
    shapes: [[260, 2]],
    build: ([x], g) => op.embedding(x, ids(g, [2, 3], [259, 0, 259, -1, 7, 7])),
  },
  "gather of a long middle axis": {
    shapes: [[2, 257, 2]],
    build: ([x], g) => op.gather(x, ids(g, [4], [256, 0, -1, 256]), 1),
  },
  scatterAdd: {
    shapes: [
      [4, 3],
      [2, 2, 3],
    ],
    build: ([x, u], g) => op.scatterAdd(x, ids(g, [2, 2], [3, 0, 3, -1]), u),
  },
  "scatterAdd, last axis": {
    shapes: [
      [2, 300],
      [2, 4],
    ],
    build: ([x, u], g) => op.scatterAdd(x, ids(g, [4], [299, 0, 299, -1]), u, 1),
  },
  gatherElements: {
    shapes: [[3, 4]],
    build: ([x], g) => op.gatherElements(x, ids(g, [2, 4], [0, 0, -1, 2, 1, 0, -1, 2])),
  },
  "gatherElements, axis 1": {
    shapes: [[3, 4]],
    build: ([x], g) => op.gatherElements(x, ids(g, [3, 2], [0, -1, 1, 1, 3, 0]), 1),
  },
  scatterElements: {
    shapes: [
      [3, 4],
      [2, 3],
    ],
    build: ([x, u], g) => op.scatterElements(x, ids(g, [2, 3], [0, 1, 2, 1, -1, 0]), u),
  },
  "scatterElements, adding": {
    shapes: [
      [3, 4],
      [3, 3],
    ],
    build: ([x, u], g) =>
      op.scatterElements(x, ids(g, [3, 3], [0, 0, 1, 3, -1, 3, 2, 2, 2]), u, { axis: 1, reduction: "add" }),
  },
  "gatherND, whole tuples": {
    shapes: [[3, 4]],
    build: ([x], g) => op.gatherND(x, ids(g, [3, 2], [0, 1, -1, 3, 0, 1])),
  },
  "gatherND, slices": {
    shapes: [[3, 4, 2]],
    build: ([x], g) => op.gatherND(x, ids(g, [2, 2, 1], [0, 2, 2, -3])),
  },
  "gatherND, batched": {
    shapes: [[2, 3, 4, 2]],
    build: ([x], g) => op.gatherND(x, ids(g, [2, 3, 2], [0, 1, 2, -1, 0, 1, 1, 1, -3, 2, 2, 3]), 1),
  },
  scatterND: {
    shapes: [
      [3, 4, 2],
      [2, 2],
    ],
    build: ([x, u], g) => op.scatterND(x, ids(g, [2, 2], [0, 1, -1, 3]), u),
  },
  "scatterND, adding": {
    shapes: [
      [3, 4],
      [3, 4],
    ],
    build: ([x, u], g) => apply(g, "ScatterND", [x, ids(g, [3, 1], [0, -1, 0]), u], { reduction: "add" })[0],
  },
  topK: { shapes: [[3, 5]], build: ([x]) => op.topK(x, 2).values, domain: spread },
  "topK, smallest, first axis": {
    shapes: [[5, 3, 2]],
    build: ([x]) => op.topK(x, 3, { axis: 0, largest: false }).values,
    domain: spread,
  },
  cumsum: { shapes: [[2, 4, 3]], build: ([x]) => op.cumsum(x, 1) },
  "cumsum, exclusive": { shapes: [[2, 4]], build: ([x]) => op.cumsum(x, -1, { exclusive: true }) },
  "cumsum, reverse": { shapes: [[2, 4]], build: ([x]) => op.cumsum(x, 0, { reverse: true }) },
  "cumsum, both": { shapes: [[2, 4]], build: ([x]) => op.cumsum(x, 1, { exclusive: true, reverse: true }) },
  "trilu, upper": { shapes: [[2, 3, 4]], build: ([x]) => op.trilu(x) },
  "trilu, lower": { shapes: [[4, 3]], build: ([x]) => op.trilu(x, { upper: false }) },
  "trilu, upper, above": { shapes: [[4, 4]], build: ([x]) => op.trilu(x, { k: 1 }) },
  "trilu, lower, below": { shapes: [[4, 4]], build: ([x]) => op.trilu(x, { upper: false, k: -2 }) },
  "gradient of a gradient": {
    shapes: [[3, 2]],
    build: ([x], g) => {
      const y = op.gather(op.mul(x, op.mul(x, x)), ids(g, [4], [0, 0, 2, 1]));
      return gradients(op.reduceSum(op.mul(y, y)), [x])[0];
    },
  },
};

test.each(Object.entries(cases))("%s: gradient rule agrees with central differences", (_, c) => {
  expect(gradientError(c)).toBeLessThan(1e-6);
});

test.each(Object.entries(cases))("%s: ONNX Runtime agrees", async (_, c) => {
  expect(await runtimeError(c)).toBeLessThan(1e-5);
});

/** Operators without gradients, held to ONNX Runtime's exact integers and floats. */
const plain: Record<string, { shapes?: number[][]; build: (x: Value[], g: Graph) => Value[] }> = {
  argMax: { build: ([x]) => [op.argMax(x), op.argMax(x, 0, { keepDims: true })] },
  argMin: { build: ([x]) => [op.argMin(x, 1), op.argMin(x, -1, { keepDims: true })] },
  "argMax of ties": {
    build: (_, g) => {
      const tied = constant(g, tensor("float32", [2, 3], [1, 2, 2, 3, 3, 1]));
      return [op.argMax(tied), apply(g, "ArgMax", [tied], { axis: 1, select_last_index: 1 })[0]];
    },
  },
  "topK positions, ties": {
    build: (_, g) => [op.topK(constant(g, tensor("float32", [1, 6], [1, 3, 3, 0, 3, 2])), 4).indices],
  },
  oneHot: {
    build: (_, g) => [
      op.oneHot(ids(g, [2, 2], [0, 2, -1, 5]), 3),
      op.oneHot(ids(g, [2, 2], [0, 2, -1, 5], "int32"), 4, { axis: 0 }),
      op.oneHot(ids(g, [3], [0, 1, 1]), 2, { axis: 0, dtype: "int64" }),
    ],
  },
  shape: {
    build: ([x], g) => [apply(g, "Shape", [x])[0], apply(g, "Shape", [x], { start: -2, end: -1 })[0]],
  },
  size: { build: ([x], g) => [apply(g, "Size", [x])[0]] },
  constantOfShape: {
    build: (_, g) => [
      apply(g, "ConstantOfShape", [ids(g, [2], [2, 3])])[0],
      apply(g, "ConstantOfShape", [ids(g, [1], [4])], { value: tensor("int32", [1], [7]) })[0],
    ],
  },
  range: {
    build: (_, g) => [
      apply(g, "Range", [ids(g, [], [2]), ids(g, [], [11]), ids(g, [], [3])])[0],
      apply(g, "Range", [
        ids(g, [], [5], "float32"),
        ids(g, [], [1], "float32"),
        ids(g, [], [-1.5], "float32"),
      ])[0],
    ],
  },
  eyeLike: {
    build: ([x], g) => [
      apply(g, "EyeLike", [op.reshape(x, [6, 4])], { k: -1 })[0],
      apply(g, "EyeLike", [op.reshape(x, [4, 6])], { k: 2, dtype: 7 })[0],
    ],
  },
  nonZero: {
    build: (_, g) => [apply(g, "NonZero", [constant(g, tensor("float32", [2, 3], [0, 1, 0, -2, 0, 3]))])[0]],
  },
};

test.each(Object.entries(plain))("%s: ONNX Runtime agrees", async (_, { build }) => {
  const graph = createGraph("plain");
  const x = input(graph, "x", [2, 3, 4], { batched: false });
  for (const y of build([x], graph)) output(y, { batched: false });
  const data = Float64Array.from({ length: 24 }, (_, i) => ((i * 7) % 24) - 11);
  expect(await runtimeDifference(graph, { x: { shape: [2, 3, 4], data } })).toBe(0);
});

describe("sums of many updates that meet", () => {
  // On several threads, beyond 256 rows ScatterElements sums, up to there a product does; on one ScatterND.
  test.each([
    [3, 4],
    [5000, 4],
    [3, 1],
    [5000, 1],
  ])("in %i rows are complete on %i threads", async (rows, threads) => {
    const [count, width] = [30_000, 8];
    const graph = createGraph("sum");
    const updates = input(graph, "updates", [count, width]);
    const at = input(graph, "at", [count], { dtype: "int64" });
    const zero = op.expand(constant(graph, tensor("float32", [], [0])), [rows, width]);
    output(op.scatterAdd(zero, at, updates));
    const session = await createSession(graph, { device: "cpu", threads });
    const indices = BigInt64Array.from({ length: count }, (_, i) => BigInt((i * 7919) % rows));
    const found = await session.run({
      updates: tensor("float32", [count, width], new Float32Array(count * width).fill(1)),
      at: tensor("int64", [count], indices),
    });
    const counts = new Float32Array(rows * width);
    for (const i of indices) for (let j = 0; j < width; j++) counts[Number(i) * width + j]++;
    expect(Object.values(found)[0].data).toEqual(counts);
    await session.release();
  });
});

describe("refusals", () => {
  const graph = createGraph("refusals");
  const x = input(graph, "x", [3, 4]);
  test.each<[string, () => unknown, RegExp]>([
    ["axis", () => op.gather(x, [0], 2), /Gather node ".*": axis 2 is out of range for rank 2/],
    ["k", () => op.topK(x, 5), /k = 5 is more than the length 4/],
    ["nonzero", () => apply(graph, "NonZero", [x]), /must be constant/],
    ["trilu", () => op.trilu(op.reshape(x, [12])), /no matrix/],
    [
      "index",
      () => evaluate(gathering(7), { x: { shape: [3], data: new Float64Array(3) } }),
      /index 7 is out of range for length 3/,
    ],
  ])("%s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});

function gathering(index: number): Graph {
  const graph = createGraph("out of range");
  output(op.gather(input(graph, "x", [3]), [index]));
  return graph;
}
