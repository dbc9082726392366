import { describe, expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../../src/engine/graph.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";
import { runtimeDifference, runtimeError } from "./runtime-check.ts";

const labels = (graph: Graph, dtype: "int32" | "int64") => constant(graph, tensor(dtype, [4], [2, 0, 1, 2]));
/** Away from 0 and ±1, where absolute and Huber losses have kinks. */
const offKinks = (x: number) => (Math.abs(x - Math.round(x)) < 0.05 ? x + 0.1 : x);
const targets = [0.3, -0.2, 0.6, 0.9, 0.1, 0.4].map(Math.fround);
const fixed = (graph: Graph) => constant(graph, tensor("float32", [2, 3], targets));

const cases: Record<string, GradientCase> = {
  softmax: { shapes: [[3, 4]], build: ([x]) => op.softmax(x) },
  "softmax along axis 1": { shapes: [[2, 3, 4]], build: ([x]) => op.softmax(x, 1) },
  logSoftmax: { shapes: [[3, 4]], build: ([x]) => op.logSoftmax(x) },
  "logSoftmax along axis 0": { shapes: [[3, 4]], build: ([x]) => op.logSoftmax(x, 0) },
  silu: { shapes: [[3, 4]], build: ([x]) => op.silu(x) },
  gelu: { shapes: [[3, 4]], build: ([x]) => op.gelu(x) },
  "gelu, tanh": { shapes: [[3, 4]], build: ([x]) => op.gelu(x, { approximate: "tanh" }) },
  crossEntropy: { shapes: [[4, 3]], build: ([x], g) => op.crossEntropy(x, labels(g, "int64")) },
  "crossEntropy, int32, none": {
    shapes: [[4, 3]],
    build: ([x], g) => op.crossEntropy(x, labels(g, "int32"), { reduction: "none" }),
  },
  "crossEntropy, smoothed": {
    shapes: [[4, 3]],
    build: ([x], g) => op.crossEntropy(x, labels(g, "int64"), { labelSmoothing: 0.1, reduction: "sum" }),
  },
  softTargetCrossEntropy: {
    shapes: [
      [4, 3],
      [4, 3],
    ],
    build: ([x, t]) => op.softTargetCrossEntropy(x, op.softmax(t)),
  },
  meanSquaredError: {
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: ([x, t]) => op.meanSquaredError(x, t),
  },
  absoluteError: { shapes: [[2, 3]], build: ([x]) => op.absoluteError(x, 0), domain: offKinks },
  huber: { shapes: [[4, 5]], build: ([x]) => op.huber(op.mul(x, 1.6), 0, { delta: 0.8 }), domain: offKinks },
  binaryCrossEntropyWithLogits: {
    shapes: [[2, 3]],
    build: ([x], g) => op.binaryCrossEntropyWithLogits(x, fixed(g)),
  },
};

describe.each(Object.entries(cases))("%s", (_, c) => {
  test("gradient rule agrees with central differences", () => expect(gradientError(c)).toBeLessThan(1e-6));
  test("ONNX Runtime computes the same", async () => expect(await runtimeError(c)).toBeLessThan(1e-5));
});

test.each(["binaryCrossEntropyWithLogits", "crossEntropy", "logSoftmax"])(
  "%s stays finite and right for huge logits",
  async (name) => {
    expect(await runtimeError({ ...cases[name], domain: (x) => 200 * x })).toBeLessThan(1e-5);
  },
);

test("correctCount counts the samples whose label wins", async () => {
  const graph = createGraph("count");
  const logits = input(graph, "logits", [4, 3]);
  const label = input(graph, "labels", [4], { dtype: "int32" });
  output(op.correctCount(logits, label));
  const feeds = {
    logits: { shape: [4, 3], data: Float64Array.of(0, 1, 2, 5, 4, 3, 1, 0, 2, 7, 8, 9) },
    labels: { shape: [4], data: Float64Array.of(2, 0, 1, 2) },
  };
  expect(evaluate(graph, feeds)[graph.outputs[0]].data).toEqual(Float64Array.of(3));
  expect(await runtimeDifference(graph, feeds)).toBe(0);
});

test("labels of the wrong length are named", () => {
  const wrong: GradientCase = { shapes: [[3, 2]], build: ([x], g) => op.crossEntropy(x, labels(g, "int64")) };
  expect(() => gradientError(wrong)).toThrow(
    /logits \[n, classes\] and labels \[n\], found \[3,2\] and \[4\]/,
  );
});
