import { expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { createSession } from "../../../src/engine/session.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { MODELS } from "../../../src/nn/models/index.ts";
import { random } from "../../../src/random.ts";
import { accountModel } from "../../../src/sparsity/accounting.ts";
import { findGroups } from "../../../src/sparsity/groups/kinds.ts";
import { zeroGroups } from "../../../src/sparsity/groups.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";

const NETWORKS = ["vgg16-bn-half", "resnet18", "resnet50", "mobilenet-v1", "mobilenet-v2", "densenet40"];

async function outputs(graph: Graph): Promise<Float32Array> {
  const rng = random(9);
  const shape = graph.types.get(graph.inputs[0])!.shape;
  const x = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal());
  const session = await createSession(graph, { threads: 1 });
  const results = await session.run({ [graph.inputs[0]]: tensor("float32", shape, x) });
  await session.release();
  return results[graph.outputs[0]].data as Float32Array;
}

/** Weights and statistics with which activations stay of order 1: with the initial ones deep networks fade out. */
function keepScale(graph: Graph): void {
  const rng = random(4);
  // PyTorch's default has variance 1/(3·fanIn); ReLU layers need six times that, more where filters go.
  for (const t of graph.parameters.values())
    if (t.shape.length > 1)
      for (let i = 0; i < t.data.length; i++) (t.data as Float32Array)[i] *= Math.sqrt(8);
  for (const node of graph.nodes)
    if (node.op === "BatchNormalization")
      for (const name of [node.inputs[2], node.inputs[3]]) {
        const values = (graph.parameters.get(name) ?? graph.constants.get(name))!.data as Float32Array;
        for (let i = 0; i < values.length; i++) values[i] = 0.3 * rng.normal();
      }
}

const difference = (a: Float32Array, b: Float32Array) =>
  a.reduce((worst, v, i) => Math.max(worst, Math.abs(v - b[i])), 0) /
  a.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

test.each(NETWORKS)("%s without a random half of its groups computes the same in less", async (name) => {
  const graph = MODELS[name]({ inputShape: [3, 32, 32], classes: 10, seed: 3 });
  keepScale(graph);
  const rng = random(1);
  const arrays = Object.fromEntries([...graph.parameters].map(([n, t]) => [n, t.data as Float32Array]));
  for (const { partition } of findGroups(graph))
    zeroGroups(
      partition,
      arrays,
      Uint8Array.from({ length: partition.groups }, (_, j) => Number(j === 0 || rng.uniform() < 0.5)),
    );
  const before = await outputs(graph);
  const shrunk = shrinkZeros(graph).graph;
  const [dense, small] = [graph, shrunk].map((g) => accountModel(g).total.macs);
  expect(small / dense).toBeLessThan(0.6);
  expect(difference(before, await outputs(shrunk))).toBeLessThan(1e-5);

  // The comparison notices one changed weight.
  const [first] = shrunk.parameters.values();
  (first.data as Float32Array)[0] += 0.1;
  expect(difference(before, await outputs(shrunk))).toBeGreaterThan(1e-5);
});
