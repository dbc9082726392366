import { describe, expect, test } from "vitest";
import type { Graph } from "../../src/engine/graph.ts";
import { initializer } from "../../src/engine/graph.ts";
import { rebatch } from "../../src/engine/replay.ts";
import { bytesPerElement, sizeOf } from "../../src/engine/tensor.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { random } from "../../src/random.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { peakActivationBytes } from "../../src/sparsity/activations.ts";
import { estimateEnergy } from "../../src/sparsity/energy.ts";
import { shrink } from "../../src/sparsity/shrink.ts";
import { randomMasks } from "./shrink/equality.ts";
import { MODELS } from "./shrink/models.ts";

/** By the definition: at each node all values that exist by then and that this node or a later one, or the caller, reads. */
function byDefinition(graph: Graph): number {
  const end = graph.nodes.length;
  const values = [
    ...graph.inputs.map((name) => ({ name, born: -1 })),
    ...graph.nodes.flatMap((n, born) => n.outputs.map((name) => ({ name, born }))),
  ].filter(({ name }) => name !== "" && !initializer(graph, name));
  const bytes = ({ dtype, shape }: NonNullable<ReturnType<Graph["types"]["get"]>>) =>
    sizeOf(shape) * bytesPerElement(dtype);
  const at = graph.nodes.map((_, i) =>
    values.reduce((sum, { name, born }) => {
      const readers = graph.nodes.flatMap((n, j) => (n.inputs.includes(name) ? [j] : []));
      const last = graph.outputs.includes(name) ? end : Math.max(born, ...readers);
      return born <= i && i <= last ? sum + bytes(graph.types.get(name)!) : sum;
    }, 0),
  );
  return Math.max(...at);
}

describe("memory of activations", () => {
  test("of a small network is counted by hand", () => {
    const graph = smallCnn({ inputShape: [1, 16, 16], classes: 10 });
    // conv1 makes 16 maps of 16×16, the rectifier as many more.
    expect(peakActivationBytes(graph)).toBe(2 * 16 * 256 * 4);
  });

  test.each(Object.entries(MODELS))(
    "of %s is that of the definition, for one sample of any batch",
    (_, build) => {
      const graph = rebatch(build(random(3)), 1);
      expect(peakActivationBytes(graph)).toBe(byDefinition(graph));
      expect(peakActivationBytes(rebatch(graph, 5))).toBe(byDefinition(graph));
    },
  );

  test("shrinking frees some, and leaving zeros in place does not", () => {
    const graph = smallCnn({ inputShape: [1, 16, 16], classes: 10 });
    const small = shrink(graph, new Map([["conv1", Array.from({ length: 16 }, (_, j) => j < 6)]]));
    // Now conv2 needs the most: 32 maps of 8×8, and what its rectifier makes of them.
    expect(peakActivationBytes(small)).toBe(2 * 32 * 64 * 4);
    graph.parameters.get("conv1.weight")!.data.fill(0);
    expect(peakActivationBytes(graph)).toBe(2 * 16 * 256 * 4);
  });
});

test("energy is an affine estimate that falls with every channel that goes", () => {
  expect(estimateEnergy({ macs: 1000, bytes: 40 }, { perMac: 4.6, perByte: 160 })).toBe(4600 + 6400);
  for (const build of Object.values(MODELS)) {
    const graph = build(random(5));
    const small = shrink(graph, randomMasks(graph, random(6)));
    const of = (g: Graph) => estimateEnergy(accountModel(g).total, { perMac: 4.6, perByte: 160 });
    expect(of(small)).toBeLessThan(of(graph));
  }
});
