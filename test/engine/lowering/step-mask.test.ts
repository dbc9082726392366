import { expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { maskRelu } from "../../../src/engine/lowering/step-mask.ts";
import { classification } from "../../../src/nn/classification.ts";
import { mlp } from "../../../src/nn/models/mlp.ts";
import { trainingGraph } from "../../../src/nn/training-step.ts";

const count = (graph: Graph, op: string) => graph.nodes.filter((n) => n.op === op).length;

test("the step of a ReLU network has one mask a layer, no comparison that nobody reads, and no copy of a bias gradient", () => {
  const model = mlp({ inputShape: [6], classes: 3, batch: 4, seed: 1, hidden: [5, 7] });
  const { graph } = trainingGraph(model, classification());
  const lowered = maskRelu(graph);
  // Control: before, each ReLU's gradient compares and chooses.
  expect([count(graph, "Greater"), count(graph, "Where"), count(graph, "HardSigmoid")]).toEqual([2, 2, 0]);
  expect([count(lowered, "Greater"), count(lowered, "Where"), count(lowered, "HardSigmoid")]).toEqual([
    0, 0, 2,
  ]);
  expect(lowered.outputs).toEqual(graph.outputs);
  const copied = lowered.nodes.filter((n) => n.op === "Reshape" && lowered.outputs.includes(n.outputs[0]));
  expect(copied).toEqual([]);
});
