import { describe, expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { classification } from "../../../src/nn/classification.ts";
import { lenet } from "../../../src/nn/models/lenet.ts";
import { resnet } from "../../../src/nn/models/resnet.ts";
import { vgg } from "../../../src/nn/models/vgg.ts";
import { trainingGraph } from "../../../src/nn/training-step.ts";
import { random } from "../../../src/random.ts";
import { block, normals, runBlocked, runPlain, worstDifference } from "./compare.ts";

const models: Record<string, () => Graph> = {
  lenet: () => lenet({ inputShape: [1, 28, 28], classes: 10, batch: 8 }),
  "lenet, a batch that is no multiple of the block": () =>
    lenet({ inputShape: [1, 28, 28], classes: 10, batch: 5, widths: [7, 13, 30] }),
  vgg: () => vgg({ inputShape: [3, 32, 32], classes: 10, batch: 8 }),
  "vgg with batch norm, odd widths": () =>
    vgg({
      inputShape: [3, 16, 16],
      classes: 10,
      batch: 6,
      layout: [12, 20, "pool", 17, "pool", 40],
      batchNorm: true,
    }),
  resnet20: () => resnet({ inputShape: [3, 12, 12], classes: 10, batch: 3 }),
  "resnet of odd widths": () =>
    resnet({ inputShape: [3, 16, 16], classes: 10, batch: 4, widths: [12, 20, 40], blocks: [1, 1, 1] }),
};

function feedsOf(graph: Graph): Record<string, Tensor> {
  const rng = random(4);
  return Object.fromEntries(
    graph.inputs.map((name) => {
      const { shape } = graph.types.get(name)!;
      if (name !== "labels") return [name, normals(shape, 3)];
      return [
        name,
        { dtype: "int32", shape, data: Int32Array.from({ length: shape[0] }, () => rng.integer(10)) },
      ];
    }),
  );
}

describe.skipIf(block === 0)("blocked training steps", () => {
  // Single precision, sums in another order: about 1e-7 times the square root of the number of terms, magnified by the
  // layers behind it and by the standard deviations that batch normalisation divides by. The batches are small so that
  // no ReLU sees an argument within rounding of zero: one that opens in one lowering and not in the other changes
  // gradients by a thousandth, and both are right.
  test.each(Object.entries(models))("%s: loss and every gradient as in the plain step", async (_, build) => {
    const { graph } = trainingGraph(build(), classification());
    const feeds = feedsOf(graph);
    const [plain, blocked] = [await runPlain(graph, feeds), await runBlocked(graph, feeds)];
    expect(Object.keys(blocked)).toEqual(graph.outputs);
    expect(worstDifference(blocked, plain)).toBeLessThan(3e-5);
  });
});
