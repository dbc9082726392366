import { expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../../src/engine/graph.ts";
import { lowerWithoutPoolIndices } from "../../../src/engine/lowering/pooling-without-indices.ts";
import { globalMaxPool, maxPool, mul, reduceSum } from "../../../src/engine/operators/index.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";
import { runPlain, worstDifference } from "./compare.ts";

/** ∂(Σ weights · build(x))/∂x, with whole numbers from −2 to 2 for x, so that most windows have ties. */
function poolGradient(shape: number[], build: (x: Value) => Value) {
  const graph = createGraph("pool");
  const rng = random(5);
  const x = input(graph, "x", shape, { batched: false });
  const y = build(x);
  const weights = Float32Array.from({ length: sizeOf(y.shape) }, () => rng.normal());
  output(gradients(reduceSum(mul(y, constant(graph, tensor("float32", y.shape, weights)))), [x])[0], {
    batched: false,
  });
  return { graph, data: Float32Array.from({ length: sizeOf(shape) }, () => rng.integer(5) - 2) };
}

function reference(graph: Graph, shape: number[], data: Float32Array): Record<string, Float32Array> {
  const results = evaluate(graph, { x: { shape, data: Float64Array.from(data) } });
  return Object.fromEntries(Object.entries(results).map(([k, v]) => [k, Float32Array.from(v.data)]));
}

test.each<[string, number[], (x: Value) => Value]>([
  ["2×2", [2, 3, 4, 6], (x) => maxPool(x, 2)],
  ["2×2, odd size", [2, 2, 5, 7], (x) => maxPool(x, 2)],
  ["2×3×2 in 3-D", [1, 2, 4, 6, 5], (x) => maxPool(x, [2, 3, 2])],
  ["1-D", [2, 3, 7], (x) => maxPool(x, 3)],
  ["overlapping, padded", [2, 2, 8, 7], (x) => maxPool(x, 3, { strides: 2, pads: 1 })],
  ["apart, padded", [1, 2, 5, 5], (x) => maxPool(x, 2, { pads: [1, 1, 0, 0] })],
  ["with gaps", [1, 2, 7, 8], (x) => maxPool(x, 2, { strides: 3 })],
  ["dilated", [1, 2, 7, 8], (x) => maxPool(x, 2, { strides: [1, 2], dilations: [2, 3] })],
  ["ceil mode, tiles", [1, 2, 5, 7], (x) => maxPool(x, 2, { ceilMode: true })],
  ["ceil mode, overlapping", [1, 2, 6, 8], (x) => maxPool(x, 3, { strides: 2, ceilMode: true })],
  ["global", [2, 3, 4, 5], globalMaxPool],
])("%s: the gradient without indices goes to the same cells", async (_, shape, build) => {
  const { graph, data } = poolGradient(shape, build);
  const lowered = lowerWithoutPoolIndices(graph);
  const used = lowered.nodes.map((n) => n.op);
  expect(used).not.toContain("MaxPoolGradient");
  expect(lowered.nodes.filter((n) => n.op === "MaxPool" && n.outputs.length > 1)).toEqual([]);
  const expected = reference(graph, shape, data);
  const found = await runPlain(lowered, { x: tensor("float32", shape, data) });
  expect(worstDifference(found, expected)).toBeLessThan(1e-6);
  // The ties matter: with the last of equals as the winner the comparison fails.
  const lastWins = reference(
    graph,
    shape,
    data.map((v, i) => v + 1e-3 * i),
  );
  expect(worstDifference(lastWins, expected)).toBeGreaterThan(1e-2);
});
