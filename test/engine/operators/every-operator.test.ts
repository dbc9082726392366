import { expect, test } from "vitest";
import { exampleOf, FOLDED } from "../../../protocols/support/operator-examples.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import { constant, valueNamed } from "../../../src/engine/graph.ts";
import { mul, reduceSum } from "../../../src/engine/operators/index.ts";
import { findOperator, operatorNames } from "../../../src/engine/operators/operator.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";
import { differenceQuotientError } from "./gradient-check.ts";
import { runtimeDifference } from "./runtime-check.ts";

/** Whatever else tests an operator: nobody can enter one in the table that escapes these two comparisons. */
const names = operatorNames().filter(
  // Blocked operators are made by lowering alone, and have tests of their own in lowering/.
  (name) => !FOLDED.includes(name) && findOperator(name)!.domain !== "com.microsoft.nchwc",
);

test.each(names)("%s means in ONNX Runtime what its evaluation says", async (name) => {
  const { graph, feeds } = exampleOf(name)!;
  expect(await runtimeDifference(graph, feeds)).toBeLessThan(1e-5);
});

test.each(names.filter((name) => findOperator(name)!.gradient))("the gradient of %s", (name) => {
  expect(gradientErrorOf(name)).toBeLessThan(1e-6);
});

test("a gradient that is 1 % off is caught (control)", () => {
  expect(gradientErrorOf("MatMul", 1.01)).toBeGreaterThan(1e-3);
});

/** Of an example whose output cells all count, each with a weight of its own; `factor` spoils the gradients. */
function gradientErrorOf(name: string, factor = 1): number {
  const { graph, feeds } = exampleOf(name)!;
  const y = valueNamed(graph, graph.outputs[0]);
  const rng = random(7);
  const weights = tensor(
    "float32",
    y.shape,
    Array.from({ length: y.shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
  );
  const loss = reduceSum(mul(y, constant(graph, weights)));
  const inputs = graph.inputs.map((i) => valueNamed(graph, i)).filter((x) => x.dtype === "float32");
  const found = gradients(loss, inputs).map((g) => mul(g, factor));
  return differenceQuotientError(
    graph,
    loss,
    Object.fromEntries(inputs.map((x, i) => [x.name, found[i]])),
    feeds,
  );
}
