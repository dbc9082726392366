import { expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { holdOut } from "../../src/data/hold-out.ts";
import { expectProblem } from "./support.ts";

/** Sample i holds 3i, 3i + 1 and 3i + 2, and has label i. */
function numbered(samples: number): Dataset {
  const labels = Int32Array.from({ length: samples }, (_, i) => i);
  const data = Float32Array.from({ length: 3 * samples }, (_, i) => i);
  const others = [{ dtype: "int32" as const, shape: [samples], data: labels }];
  const split = { inputs: { dtype: "float32" as const, shape: [samples, 3], data }, others, labels };
  const classes = Array.from(labels, String);
  return { name: "n", train: split, test: split, classes, inputShape: [3], scale: { mean: [0], std: [1] } };
}

test("every training sample lies in one of the two parts, whole, and the seed says in which", () => {
  const data = numbered(50);
  const { train, validation, test: untouched } = holdOut(data, 0.3, 1);
  expect(validation!.labels).toHaveLength(15);
  expect([...train.labels, ...validation!.labels].sort((a, b) => a - b)).toEqual([...data.train.labels]);
  for (const part of [train, validation!]) {
    expect(part.others).toEqual([{ dtype: "int32", shape: [part.labels.length], data: part.labels }]);
    expect(part.inputs.shape).toEqual([part.labels.length, 3]);
    expect(Array.from(part.inputs.data)).toEqual(
      Array.from(part.labels).flatMap((i) => [3 * i, 3 * i + 1, 3 * i + 2]),
    );
  }
  expect(untouched).toBe(data.test);
  expect(holdOut(data, 0.3, 1).validation!.labels).toEqual(validation!.labels);
  expect(holdOut(data, 0.3, 2).validation!.labels).not.toEqual(validation!.labels);
});

test("a share of 0 changes nothing; one that leaves a part empty is refused", () => {
  const data = numbered(5);
  expect(holdOut(data, 0, 1)).toBe(data);
  expectProblem(() => holdOut(data, 0.05, 1), /leaves 0 of the 5 training samples of n to validate on and 5/);
});
