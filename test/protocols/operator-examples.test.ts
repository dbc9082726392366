import { expect, test } from "vitest";
import { exampleOf, FOLDED } from "../../protocols/support/operator-examples.ts";
import { operatorNames } from "../../src/engine/operators/operator.ts";

test("every operator that reaches a device has an example to run there", () => {
  const missing = operatorNames().filter((name) => !FOLDED.includes(name) && !exampleOf(name));
  expect(missing).toEqual([]);
  expect(exampleOf("NoSuchOperator")).toBeUndefined();
});
