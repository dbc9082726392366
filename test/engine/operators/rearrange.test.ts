import { expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { constant, createGraph, input, output } from "../../../src/engine/graph.ts";
import { apply } from "../../../src/engine/operators/operator.ts";
import { depthToSpace, resize, spaceToDepth } from "../../../src/engine/operators/rearrange.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";
import { runtimeError } from "./runtime-check.ts";

const resizing = (from: number[], to: number[], options?: Parameters<typeof resize>[2]): GradientCase => ({
  shapes: [from],
  build: ([x]) => resize(x, to, options),
});

const cases: Record<string, GradientCase> = {
  "depthToSpace DCR": { shapes: [[2, 12, 2, 3]], build: ([x]) => depthToSpace(x, 2) },
  "depthToSpace CRD": { shapes: [[2, 12, 2, 3]], build: ([x]) => depthToSpace(x, 2, "CRD") },
  spaceToDepth: { shapes: [[2, 3, 4, 6]], build: ([x]) => spaceToDepth(x, 2) },
  "nearest, twice as large": resizing([1, 2, 3, 4], [1, 2, 6, 12]),
  "nearest, smaller": resizing([1, 2, 6, 4], [1, 2, 4, 3]),
  "nearest, half pixel": resizing([1, 1, 5, 4], [1, 1, 7, 9], {
    coordinates: "half_pixel",
    rounding: "round_prefer_floor",
  }),
  "nearest, round_prefer_ceil": resizing([1, 1, 5, 4], [1, 1, 7, 8], {
    coordinates: "half_pixel",
    rounding: "round_prefer_ceil",
  }),
  "nearest, ceil": resizing([1, 1, 5, 4], [1, 1, 10, 8], { rounding: "ceil" }),
  "linear, half pixel": resizing([1, 2, 3, 4], [1, 2, 6, 7], { mode: "linear", coordinates: "half_pixel" }),
  "linear, smaller": resizing([1, 2, 6, 7], [1, 2, 3, 3], {
    mode: "linear",
    coordinates: "pytorch_half_pixel",
  }),
  "linear, to one": resizing([1, 1, 4, 4], [1, 1, 1, 1], {
    mode: "linear",
    coordinates: "pytorch_half_pixel",
  }),
  "linear, align corners": resizing([1, 2, 3, 4], [1, 2, 5, 7], {
    mode: "linear",
    coordinates: "align_corners",
  }),
  "linear, asymmetric": resizing([1, 1, 3, 4], [1, 1, 6, 7], { mode: "linear", coordinates: "asymmetric" }),
};

/** As files have it: scales that are no ratio of whole lengths. */
const scaled = (mode: string, coordinates: string): GradientCase => ({
  shapes: [[1, 2, 5, 7]],
  build: ([x], graph) =>
    apply(graph, "Resize", [x, undefined, constant(graph, tensor("float32", [4], [1, 1, 1.5, 0.625]))], {
      mode,
      coordinate_transformation_mode: coordinates,
    })[0],
});
for (const mode of ["nearest", "linear"])
  for (const coordinates of ["half_pixel", "asymmetric", "align_corners"])
    cases[`${mode}, ${coordinates}, by scales`] = scaled(mode, coordinates);

test.each(Object.entries(cases))("%s: gradient rule agrees with central differences", (_, c) => {
  expect(gradientError(c)).toBeLessThan(1e-6);
});

test.each(Object.entries(cases))("%s: ONNX Runtime agrees", async (_, c) => {
  expect(await runtimeError(c)).toBeLessThan(1e-5);
});

test("spaceToDepth undoes depthToSpace in mode DCR, not in mode CRD", () => {
  const roundTrip = (mode: "DCR" | "CRD") => {
    const graph = createGraph("round trip");
    const x = input(graph, "x", [1, 8, 2, 3]);
    output(spaceToDepth(depthToSpace(x, 2, mode), 2));
    const data = Float64Array.from({ length: 48 }, (_, i) => i);
    return [data, Object.values(evaluate(graph, { x: { shape: x.shape, data } }))[0].data];
  };
  const [before, after] = roundTrip("DCR");
  expect(after).toEqual(before);
  const [crdBefore, crdAfter] = roundTrip("CRD");
  expect(crdAfter).not.toEqual(crdBefore);
});

test("what does not divide is refused", () => {
  const x = input(createGraph("refusals"), "x", [1, 6, 3, 3]);
  expect(() => depthToSpace(x, 2)).toThrow(/6 channels are not a multiple of 2²/);
  expect(() => spaceToDepth(x, 2)).toThrow(/3×3 does not divide/);
});
