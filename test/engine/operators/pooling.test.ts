import { describe, expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { apply } from "../../../src/engine/operators/operator.ts";
import { createSession } from "../../../src/engine/session.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";
import { runtimeError } from "./runtime-check.ts";

const max = (x: number[], ...rest: [number | number[], Parameters<typeof op.maxPool>[2]?]): GradientCase => ({
  shapes: [x],
  build: ([v]) => op.maxPool(v, ...rest),
});
const average = (
  x: number[],
  ...rest: [number | number[], Parameters<typeof op.averagePool>[2]?]
): GradientCase => ({ shapes: [x], build: ([v]) => op.averagePool(v, ...rest) });

const cases: Record<string, GradientCase> = {
  "max 2×2": max([2, 3, 4, 6], 2),
  "max 2×2, odd size": max([2, 2, 5, 7], 2),
  "max 1-D, stride 1": max([2, 3, 7], 3, { strides: 1 }),
  "max 3×3, stride 2, padded": max([2, 2, 8, 7], 3, { strides: 2, pads: 1 }),
  "max 3×3, stride 2, overlapping": max([1, 2, 7, 9], 3, { strides: 2 }),
  "max, uneven": max([1, 2, 7, 8], [2, 3], { strides: [1, 2], pads: [1, 0, 0, 2] }),
  "max, padded but apart": max([1, 2, 5, 5], 2, { strides: 2, pads: [1, 1, 0, 0] }),
  "max, dilated": max([1, 2, 7, 8], 2, { strides: [1, 2], dilations: [2, 3] }),
  "max, ceil mode": max([1, 2, 6, 8], 3, { strides: 2, ceilMode: true }),
  "max, SAME_UPPER": max([1, 2, 5, 6], 3, { strides: 2, autoPad: "SAME_UPPER" }),
  "max, SAME_LOWER": max([1, 2, 5, 6], 2, { strides: 1, autoPad: "SAME_LOWER" }),
  "average 2×2": average([2, 3, 4, 6], 2),
  "average 1-D": average([2, 3, 7], 3, { strides: 2 }),
  "average 3×3, stride 2, padded": average([2, 2, 8, 7], 3, { strides: 2, pads: 1 }),
  "average, padding counts": average([2, 2, 8, 7], 3, { strides: 2, pads: 1, countIncludePad: true }),
  "average, ceil mode": average([1, 2, 6, 8], 3, { strides: 2, ceilMode: true }),
  "average, ceil mode, padding counts": average([1, 2, 6, 8], 3, {
    strides: 2,
    pads: 1,
    ceilMode: true,
    countIncludePad: true,
  }),
  "average, uneven": average([1, 2, 7, 8], [2, 3], { strides: [1, 3], pads: [1, 0, 0, 2] }),
  "average, SAME_UPPER": average([1, 2, 5, 6], 2, { strides: 1, autoPad: "SAME_UPPER" }),
  "max, ceil mode, last window in the padding": max([1, 1, 4, 4], 2, { strides: 3, pads: 1, ceilMode: true }),
  "max, SAME_UPPER, dilated": max([1, 2, 5, 6], 3, { strides: 1, dilations: [2, 1], autoPad: "SAME_UPPER" }),
  "max, SAME_LOWER, stride beyond the kernel": max([1, 2, 7, 8], 2, { strides: 3, autoPad: "SAME_LOWER" }),
  "max, auto_pad attribute": {
    shapes: [[1, 2, 5, 6]],
    build: ([x]) =>
      apply(x.graph, "MaxPool", [x], {
        kernel_shape: [3, 2],
        strides: [2, 2],
        auto_pad: "SAME_LOWER",
        storage_order: 1,
      })[0],
  },
  "average, auto_pad attribute": {
    shapes: [[1, 2, 5, 6]],
    build: ([x]) =>
      apply(x.graph, "AveragePool", [x], {
        kernel_shape: [3, 2],
        auto_pad: "SAME_UPPER",
        count_include_pad: 1,
      })[0],
  },
  "average, VALID attribute": {
    shapes: [[1, 2, 5, 6]],
    build: ([x]) =>
      apply(x.graph, "AveragePool", [x], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: "VALID" })[0],
  },
  "global average": { shapes: [[2, 3, 4, 5]], build: ([x]) => op.globalAveragePool(x) },
  "global maximum": { shapes: [[2, 3, 4, 5]], build: ([x]) => op.globalMaxPool(x) },
  unpool: {
    shapes: [[1, 2, 4, 4]],
    build: ([x]) => {
      const [values, indices] = apply(
        x.graph,
        "MaxPool",
        [x],
        { kernel_shape: [2, 2], strides: [2, 2] },
        { outputCount: 2 },
      );
      return apply(x.graph, "MaxUnpool", [values, indices], { kernel_shape: [2, 2], strides: [2, 2] })[0];
    },
  },
};

describe.each(Object.entries(cases))("%s", (_, c) => {
  test("gradient rule agrees with central differences", () => expect(gradientError(c)).toBeLessThan(1e-6));
  test("ONNX Runtime computes the same", async () => expect(await runtimeError(c)).toBeLessThan(1e-5));
});

test.each([2, 3])(
  "where all elements tie, the first one under a window of width %i takes the gradient",
  async (size) => {
    const graph = createGraph("ties");
    const x = input(graph, "x", [1, 1, 4, 4], { batched: false });
    const y = op.maxPool(x, size, { strides: 2 });
    const [dx] = gradients(op.reduceSum(y), [x]);
    output(dx, { batched: false });
    const expected = new Float64Array(16);
    for (const at of size === 2 ? [0, 2, 8, 10] : [0]) expected[at] = 1;
    const found = evaluate(graph, { x: { shape: [1, 1, 4, 4], data: new Float64Array(16) } })[dx.name];
    expect(found.data).toEqual(expected);
    const session = await createSession(graph, { threads: 1 });
    const ran = await session.run({ x: tensor("float32", [1, 1, 4, 4], new Float32Array(16)) });
    expect(Float64Array.from(ran[dx.name].data as Float32Array)).toEqual(expected);
    await session.release();
  },
);

test("the second derivative passes through a pooled square", () => {
  const twice: GradientCase = {
    shapes: [[1, 1, 4, 4]],
    build: ([x]) => {
      const y = op.maxPool(x, 2);
      return gradients(op.reduceSum(op.mul(y, op.mul(y, y))), [x])[0];
    },
  };
  expect(gradientError(twice)).toBeLessThan(1e-6);
});

test("pads as large as the kernel are refused", () => {
  expect(() => gradientError(max([1, 1, 4, 4], 2, { pads: 2 }))).toThrow(/must be smaller than the kernel/);
});
