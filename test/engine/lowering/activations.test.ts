import { expect, test } from "vitest";
import { gradients } from "../../../src/engine/gradients.ts";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { shareGelu } from "../../../src/engine/lowering/gelu.ts";
import { maskRelu } from "../../../src/engine/lowering/step-mask.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import { classification } from "../../../src/nn/classification.ts";
import { mlp } from "../../../src/nn/models/mlp.ts";
import { transformer } from "../../../src/nn/models/transformer.ts";
import { trainingGraph } from "../../../src/nn/training-step.ts";
import { random } from "../../../src/random.ts";
import { normals, runPlain, worstDifference } from "./compare.ts";

/** Outputs y, then ∂Σy²/∂x, for x [8, 16]. */
function step(build: (x: Value) => Value): Graph {
  const graph = createGraph("step");
  const x = input(graph, "x", [8, 16], { batched: false });
  const y = build(x);
  for (const v of [y, ...gradients(op.reduceSum(op.mul(y, y)), [x])]) output(v, { batched: false });
  return graph;
}

const feeds = { x: normals([8, 16], 5) };
const count = (graph: Graph, name: string) => graph.nodes.filter((n) => n.op === name).length;

test.each(["none", "tanh"] as const)("gelu (%s) shares Φ(x) with its gradient", async (approximate) => {
  const graph = step((x) => op.gelu(op.mul(x, 3), { approximate }));
  const shared = shareGelu(graph);
  expect([count(graph, "Gelu"), count(shared, "Gelu")]).toEqual([1, 0]);
  expect(shared.outputs).toEqual(graph.outputs);
  expect(worstDifference(await runPlain(shared, feeds), await runPlain(graph, feeds))).toBeLessThan(1e-6);
});

test("the gradient of relu is a product, to the last bit", async () => {
  const graph = step((x) => op.relu(op.relu(op.mul(x, 3))));
  const masked = maskRelu(graph);
  expect([count(graph, "Where"), count(masked, "Where")]).toEqual([2, 0]);
  expect(masked.outputs).toEqual(graph.outputs);
  expect(worstDifference(await runPlain(masked, feeds), await runPlain(graph, feeds))).toBe(0);
});

test("a choice that guards against the logarithm of zero stays a choice", async () => {
  const graph = step((x) => {
    const y = op.relu(x);
    return op.where(op.greater(y, 0), op.log(y), 0);
  });
  const masked = maskRelu(graph);
  expect(masked.nodes.filter((n) => n.op === "Where" && !n.name.startsWith("gradient/"))).toHaveLength(1);
  const [y] = Object.values(await runPlain(masked, feeds));
  expect(y.every(Number.isFinite)).toBe(true);
});

const models: Record<string, () => Graph> = {
  transformer: () => transformer({ vocabulary: 11, context: 6, width: 16, heads: 2, blocks: 2, batch: 4 }),
  mlp: () => mlp({ inputShape: [6], classes: 11, batch: 24, hidden: [30, 20] }),
};

test.each(Object.entries(models))("%s: loss and every gradient as in the plain step", async (_, build) => {
  const { graph } = trainingGraph(build(), classification());
  const rng = random(4);
  const ids = (shape: readonly number[]) =>
    tensor(
      "int32",
      shape,
      Array.from({ length: sizeOf(shape) }, () => rng.integer(11)),
    );
  const inputs = Object.fromEntries(
    graph.inputs.map((name) => {
      const { dtype, shape } = graph.types.get(name)!;
      return [name, dtype === "int32" ? ids(shape) : normals(shape, 2)];
    }),
  );
  const lowered = maskRelu(shareGelu(graph));
  expect(lowered.outputs).toEqual(graph.outputs);
  expect(worstDifference(await runPlain(lowered, inputs), await runPlain(graph, inputs))).toBeLessThan(1e-5);
});
