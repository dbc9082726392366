import { expect, test } from "vitest";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { add } from "../../../src/engine/operators/index.ts";
import { tensor, zeros } from "../../../src/engine/tensor.ts";
import { classification } from "../../../src/nn/classification.ts";
import type { Objective } from "../../../src/nn/training-step.ts";
import { createTrainingStep } from "../../../src/nn/training-step.ts";
import { random } from "../../../src/random.ts";
import { exactCrossEntropy } from "../../../src/sparsity/tickets/exact-cross-entropy.ts";
import { vectors } from "./vectors.ts";

/** Loss and ∂loss/∂logits as ONNX Runtime computes them in single precision. */
async function inRuntime(objective: Objective, rows: number[][], labels: number[]) {
  const shape = [rows.length, rows[0].length];
  const graph = createGraph("logits");
  const x = input(graph, "x", shape);
  output(add(x, parameter(graph, "logits", zeros(shape))));
  const step = await createTrainingStep(graph, objective, { threads: 1 });
  const { loss } = await step.run({
    x: tensor("float32", shape, rows.flat()),
    labels: tensor("int32", [rows.length], labels),
  });
  await step.release();
  return { loss, gradient: step.gradients.values };
}

/** The same in double precision, without subtracting from 1. */
function inDouble(rows: number[][], labels: number[]) {
  const gradient: number[] = [];
  let loss = 0;
  rows.forEach((row, i) => {
    const z = row.map(Math.fround);
    const odds = z.map((v, j) => (j === labels[i] ? 0 : Math.exp(v - z[labels[i]])));
    const sum = odds.reduce((a, b) => a + b, 0);
    loss += Math.log1p(sum) / rows.length;
    gradient.push(...odds.map((o, j) => (j === labels[i] ? -sum : o) / (1 + sum) / rows.length));
  });
  return { loss, gradient };
}

const worstRelative = (found: ArrayLike<number>, expected: number[]) =>
  Math.max(...expected.map((e, i) => Math.abs(found[i] - e) / Math.abs(e)));

test("a sure sample keeps its loss and its gradient; the usual formula loses both", async () => {
  const { logits, label, loss, gradLabelLogit } = vectors.stableCE;
  const exact = await inRuntime(exactCrossEntropy(), [logits], [label]);
  expect(exact.loss / loss).toBeCloseTo(1, 6);
  expect(exact.gradient[label] / gradLabelLogit).toBeCloseTo(1, 6);
  const usual = await inRuntime(classification(), [logits], [label]);
  expect(Math.abs(usual.loss)).toBe(0);
  expect(Math.abs(usual.gradient[label] / gradLabelLogit - 1)).toBeGreaterThan(0.5);
});

test("every gradient to six digits from a fresh network to one that has margins of 60", async () => {
  const rng = random(8);
  for (const margin of [-200, -30, -3, 0, 3, 10, 16, 20, 30, 60]) {
    const labels = Array.from({ length: 40 }, () => rng.integer(31));
    const rows = labels.map((label) =>
      Array.from({ length: 31 }, (_, j) => 2 * rng.normal() + (j === label ? margin : 0)),
    );
    const expected = inDouble(rows, labels);
    const exact = await inRuntime(exactCrossEntropy(), rows, labels);
    expect(exact.loss / expected.loss).toBeCloseTo(1, 5);
    // Logits of size z are themselves known to 6e-8 z, and so are the exponents.
    expect(worstRelative(exact.gradient, expected.gradient)).toBeLessThan(6e-8 * (40 + 2 * Math.abs(margin)));
    if (margin === 20) {
      const usual = await inRuntime(classification(), rows, labels);
      expect(worstRelative(usual.gradient, expected.gradient)).toBeGreaterThan(0.3);
    }
  }
});
