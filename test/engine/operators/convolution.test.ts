import { describe, expect, test } from "vitest";
import { gradients } from "../../../src/engine/gradients.ts";
import { constant } from "../../../src/engine/graph.ts";
import { mul, sum } from "../../../src/engine/operators/arithmetic.ts";
import { conv, convTranspose } from "../../../src/engine/operators/convolution.ts";
import { apply, defineOperator, findOperator } from "../../../src/engine/operators/operator.ts";
import { reduceSum } from "../../../src/engine/operators/reduction.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";
import { runtimeError } from "./runtime-check.ts";

const convCase = (
  x: number[],
  w: number[],
  options: Parameters<typeof conv>[2] = {},
  bias = true,
): GradientCase => ({
  shapes: bias ? [x, w, [w[0]]] : [x, w],
  build: ([a, b, c]) => conv(a, b, { ...options, bias: c }),
});
const transposeCase = (
  x: number[],
  w: number[],
  options: Parameters<typeof convTranspose>[2] = {},
): GradientCase => ({
  shapes: [x, w, [w[1] * (options.group ?? 1)]],
  build: ([a, b, c]) => convTranspose(a, b, { ...options, bias: c }),
});

const cases: Record<string, GradientCase> = {
  "conv 1-D": convCase([2, 3, 7], [4, 3, 3], { pads: 1 }),
  "conv 1-D, stride 2": convCase([2, 3, 8], [4, 3, 3], { strides: 2 }, false),
  "conv 1×1": convCase([2, 3, 4, 4], [5, 3, 1, 1]),
  "conv 1×1, stride 2": convCase([2, 3, 5, 4], [5, 3, 1, 1], { strides: 2 }),
  "conv 3×3, padded": convCase([2, 3, 5, 6], [4, 3, 3, 3], { pads: 1 }),
  "conv 3×3, stride 2, even size": convCase([2, 2, 6, 8], [3, 2, 3, 3], { strides: 2, pads: 1 }),
  "conv 3×3, stride 3, nothing padded": convCase([2, 2, 8, 7], [3, 2, 3, 3], { strides: 3 }),
  "conv 5×3, uneven pads and strides": convCase([1, 2, 9, 8], [2, 2, 5, 3], {
    strides: [2, 3],
    pads: [2, 0, 1, 2],
  }),
  "conv, dilated": convCase([1, 2, 9, 8], [2, 2, 3, 3], { dilations: [2, 3], pads: [2, 1, 0, 3] }),
  "conv, dilated, stride 2": convCase([1, 2, 9, 10], [2, 2, 3, 2], { dilations: 2, strides: 2, pads: 1 }),
  "conv, groups": convCase([2, 4, 5, 5], [6, 2, 3, 3], { group: 2, pads: 1 }),
  "conv, groups, stride 2": convCase([2, 6, 6, 6], [3, 2, 3, 3], { group: 3, strides: 2, pads: 1 }),
  "conv, depthwise": convCase([2, 3, 5, 6], [3, 1, 3, 3], { group: 3, pads: 1 }),
  "conv, depthwise with multiplier": convCase([2, 3, 6, 6], [6, 1, 3, 3], { group: 3, strides: 2 }),
  "conv, SAME_UPPER": convCase([1, 2, 6, 5], [2, 2, 3, 4], { autoPad: "SAME_UPPER", strides: 2 }),
  "conv, SAME_LOWER": convCase([1, 2, 6, 5], [2, 2, 3, 4], { autoPad: "SAME_LOWER" }),
  "conv, VALID": convCase([1, 2, 6, 5], [2, 2, 3, 4], { autoPad: "VALID" }),
  "conv, SAME_UPPER, dilated": convCase([1, 2, 6, 5], [2, 2, 3, 2], { autoPad: "SAME_UPPER", dilations: 2 }),
  "conv, SAME_LOWER attribute": {
    shapes: [
      [1, 2, 6, 5],
      [2, 2, 3, 4],
    ],
    build: ([x, w]) =>
      apply(x.graph, "Conv", [x, w], { auto_pad: "SAME_LOWER", kernel_shape: [3, 4], strides: [2, 1] })[0],
  },
  "conv 3-D": convCase([1, 2, 4, 3, 5], [2, 2, 3, 2, 3], { strides: [1, 1, 2], pads: 1 }),
  "transposed 1-D": transposeCase([2, 3, 4], [3, 2, 3], { strides: 2 }),
  "transposed 2-D": transposeCase([2, 3, 4, 3], [3, 2, 3, 3], { strides: 2, pads: 1, outputPadding: 1 }),
  "transposed, output padding per axis": transposeCase([1, 2, 3, 3], [2, 2, 2, 3], {
    strides: [3, 2],
    outputPadding: [2, 0],
  }),
  "transposed, output padding beyond the pads": transposeCase([1, 2, 3, 3], [2, 2, 2, 2], {
    strides: 3,
    pads: [0, 1, 0, 0],
    outputPadding: 2,
  }),
  "transposed, dilated": transposeCase([1, 2, 3, 4], [2, 3, 3, 2], { dilations: [2, 1], pads: [1, 0, 2, 0] }),
  "transposed, groups": transposeCase([2, 4, 3, 3], [4, 3, 3, 3], { group: 2, strides: 2, pads: 1 }),
  "transposed, depthwise": transposeCase([2, 3, 3, 3], [3, 1, 2, 2], { group: 3, strides: 2 }),
  "transposed, SAME_UPPER": transposeCase([1, 2, 3, 4], [2, 2, 4, 3], { strides: 2, autoPad: "SAME_UPPER" }),
  "transposed, SAME_LOWER": transposeCase([1, 2, 3, 4], [2, 2, 4, 3], { strides: 2, autoPad: "SAME_LOWER" }),
  "transposed, SAME_UPPER, output padding": transposeCase([1, 2, 3, 4], [2, 2, 3, 3], {
    strides: 2,
    autoPad: "SAME_UPPER",
    outputPadding: 1,
  }),
  ...Object.fromEntries(
    ["SAME_UPPER", "SAME_LOWER", "VALID"].map((mode): [string, GradientCase] => [
      `transposed, ${mode} attribute`,
      {
        shapes: [
          [1, 2, 3, 4],
          [2, 2, 4, 3],
        ],
        build: ([x, w]) => apply(x.graph, "ConvTranspose", [x, w], { strides: [2, 2], auto_pad: mode })[0],
      },
    ]),
  ),
  "transposed to a given shape": {
    shapes: [
      [1, 2, 3, 4],
      [2, 2, 3, 3],
    ],
    build: ([x, w]) => apply(x.graph, "ConvTranspose", [x, w], { strides: [2, 2], output_shape: [6, 8] })[0],
  },
};

describe.each(Object.entries(cases))("%s", (_, c) => {
  test("gradient rule agrees with central differences", () => expect(gradientError(c)).toBeLessThan(1e-6));
  test("ONNX Runtime computes the same", async () => expect(await runtimeError(c)).toBeLessThan(1e-5));
});

test("second derivatives", () => {
  const twice: GradientCase = {
    shapes: [
      [1, 2, 4, 5],
      [2, 1, 3, 2],
    ],
    build: ([x, w]) => {
      const y = conv(x, w, { strides: [2, 1], pads: 1, group: 2 });
      const slopes = gradients(reduceSum(mul(y, mul(y, y))), [x, w]);
      return sum(...slopes.map((g) => reduceSum(mul(g, g))));
    },
  };
  expect(gradientError(twice)).toBeLessThan(1e-6);
});

test("a gradient rule that forgets to turn the kernel over is caught", () => {
  defineOperator({
    ...findOperator("Conv")!,
    name: "PlantedConv",
    gradient: ({ inputs: [x, w], gradients: [dy] }) => [conv(dy!, w, { pads: 1 }), x],
  });
  const shapes = [
    [1, 1, 3, 3],
    [1, 1, 3, 3],
  ];
  const planted: GradientCase = {
    shapes,
    build: ([x, w]) => apply(x.graph, "PlantedConv", [x, w], { pads: [1, 1, 1, 1] })[0],
  };
  expect(gradientError(planted)).toBeGreaterThan(0.1);
});

test("an evaluation that differs from ONNX Runtime is caught", async () => {
  // Celu is an operator of ONNX Runtime; this is Elu, which differs where alpha is not 1.
  defineOperator({ ...findOperator("Elu")!, name: "Celu" });
  const planted: GradientCase = {
    shapes: [[3, 3]],
    build: ([x]) => apply(x.graph, "Celu", [x], { alpha: 0.5 })[0],
  };
  expect(gradientError(planted)).toBeLessThan(1e-6);
  expect(await runtimeError(planted)).toBeGreaterThan(1e-2);
});

test.each([
  ["channels", [1, 3, 5, 5], [2, 2, 3, 3], {}, /take 2 channels; the input \[1,3,5,5\] has 3/],
  ["windows too large", [1, 2, 2, 5], [2, 2, 3, 3], {}, /window of 3 cells does not fit into 2/],
  [
    "pads of the wrong length",
    [1, 2, 5, 5],
    [2, 2, 3, 3],
    { pads: [1, 1] },
    /pads \[1,1\] has 2 numbers, not 4/,
  ],
] as const)("a convolution that does not fit says why: %s", (_, x, w, options, message) => {
  expect(() => gradientError(convCase([...x], [...w], options, false))).toThrow(message);
});

test("constants may be weights", () => {
  const fixed: GradientCase = {
    shapes: [[1, 1, 4, 4]],
    build: ([x], graph) => conv(x, constant(graph, tensor("float32", [1, 1, 2, 2], [1, -2, 3, 0.5]))),
  };
  expect(gradientError(fixed)).toBeLessThan(1e-6);
});
