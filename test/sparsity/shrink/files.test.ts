import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { replay } from "../../../src/engine/replay.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { deriveSeed, random } from "../../../src/random.ts";
import { accountModel } from "../../../src/sparsity/accounting.ts";
import type { ChannelStream } from "../../../src/sparsity/channels.ts";
import { analyzeChannels } from "../../../src/sparsity/channels.ts";
import { shrink } from "../../../src/sparsity/shrink.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import type { Masks } from "./equality.ts";
import { difference, masked, randomFeeds, runtimeOutputs } from "./equality.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const folder = join(process.env.FILIGREE_SHARED ?? join(repository, "../shared"), "data/models/onnx");

/** Weights that tell channels apart, for the models whose weights were replaced by constants. */
function withRandomWeights(graph: Graph): Graph {
  return replay(graph, {
    tensor: (name, t): Tensor => {
      if (t.dtype !== "float32" || t.data.length < 2 || !t.data.every((x) => x === t.data[0])) return t;
      const r = random(deriveSeed(3, name));
      const scale = Math.sqrt((2 * 3 * t.shape[0]) / t.data.length);
      // Vectors are biases, scales, means and variances here: all of them near 1 make every channel alive.
      const value = t.shape.length > 1 ? () => (2 * r.uniform() - 1) * scale : () => 0.75 + 0.5 * r.uniform();
      return { ...t, data: Float32Array.from(t.data as Float32Array, value) } as Tensor;
    },
  });
}

function masksOf(streams: readonly ChannelStream[], every: number): Masks {
  return new Map(streams.map((s) => [s.name, Array.from({ length: s.count }, (_, i) => i % every === 0)]));
}

const openStreams = (graph: Graph) => analyzeChannels(graph).streams.filter((s) => s.blocked === undefined);

interface Expected {
  /** Streams that can shrink, counted in the published architecture. */
  streams: number;
  macs?: number;
  /** Keep one channel in so many before the test, where the whole model takes long. */
  narrow?: number;
}

const FILES: Record<string, Expected> = {
  // Two convolutions before the last layer.
  "mnist_8/model.onnx": { streams: 2 },
  "mnist_pytorch.onnx": { streams: 2, macs: 784 * 64 + 64 * 64 + 64 * 10 },
  // 26 convolutions, the last one feeds the result.
  "light/light_squeezenet.onnx": { streams: 25, narrow: 2 },
  // 57 convolutions, two of them in front of a normalisation across channels.
  "light/light_inception_v1.onnx": { streams: 55, narrow: 4 },
  // 16 convolutions and two linear layers; the first of them is too large to be folded and stays an operator.
  "light/light_vgg19.onnx": { streams: 18, macs: 19632062464, narrow: 8 },
  // The stem, two convolutions inside each of 16 blocks, the sums of 4 stages.
  "light/light_resnet50.onnx": { streams: 1 + 2 * 16 + 4, macs: 4089184256, narrow: 4 },
};

describe.skipIf(!existsSync(folder))(`files of other tools (skipped unless ${folder} exists)`, () => {
  it.each(Object.entries(FILES))(
    "%s loses half of its channels and computes the same",
    async (file, expected) => {
      const whole = importModel(new Uint8Array(readFileSync(join(folder, file))));
      const streams = openStreams(whole);
      expect(streams.length).toBe(expected.streams);
      if (expected.macs) expect(accountModel(whole).total.macs).toBe(expected.macs);

      const graph = withRandomWeights(
        expected.narrow ? shrink(whole, masksOf(streams, expected.narrow)) : whole,
      );
      const masks = masksOf(openStreams(graph), 2);
      const sparse = masked(graph, masks);
      const small = shrink(sparse, masks);
      const found = shrinkZeros(sparse).graph;
      expect(accountModel(small).total.macs).toBeLessThan(0.7 * accountModel(graph).total.macs);
      expect(accountModel(found).total).toEqual(accountModel(small).total);

      const feeds = randomFeeds(graph, random(1));
      const resultOf = async (g: Graph) => (await runtimeOutputs(g, feeds))[graph.outputs[0]];
      const expectedResult = await resultOf(sparse);
      expect(difference(await resultOf(small), expectedResult)).toBeLessThan(1e-5);
      expect(difference(await resultOf(found), expectedResult)).toBeLessThan(1e-5);
      // The equality is not one of constants: the channels that are gone made a difference.
      expect(difference(await resultOf(graph), expectedResult)).toBeGreaterThan(1e-3);
    },
  );
});
