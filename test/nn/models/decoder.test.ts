import { expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import { valueNamed } from "../../../src/engine/graph.ts";
import { mul, reduceSum } from "../../../src/engine/operators/index.ts";
import { sizeOf, toNumbers } from "../../../src/engine/tensor.ts";
import { normal } from "../../../src/nn/initializers.ts";
import type { DecoderOptions } from "../../../src/nn/models/decoder.ts";
import { DECODER_SIZES, decoder } from "../../../src/nn/models/decoder.ts";
import { linearMaps } from "../../../src/sparsity/spectral/linear-maps.ts";
import vectors from "../../vectors/sst.json" with { type: "json" };

/** Shapes without their numbers: hundreds of millions are not needed to count them. */
const countOnly: Pick<DecoderOptions, "initializer"> = {
  initializer: (shape) => ({ dtype: "float32", shape, data: new Float32Array(0) }),
};

test.each([
  ["opt-125m", 64, vectors.model_counts.opt_125m_r64],
  ["opt-350m", 64, vectors.model_counts.opt_350m_r64],
  ["opt-1.3b", 64, vectors.model_counts["opt_1.3b_r64"]],
  ["llama-130m", 64, vectors.model_counts.llama_130m_r64],
  ["llama-1.3b", 128, vectors.model_counts["llama_1.3b_r128"]],
] as const)(
  "%s has its published size, and trains as many numbers at rank %i as the table says",
  (name, rank, counts) => {
    const graph = decoder({ ...DECODER_SIZES[name], context: 4, ...countOnly });
    const total = [...graph.parameters.values()].reduce((a, t) => a + sizeOf(t.shape), 0);
    expect(total).toBe(counts.total);
    const saved = linearMaps(graph)
      .filter((m) => !m.last && m.weight.startsWith("layers."))
      .reduce((a, { outputs: m, inputs: n }) => a + m * n - rank * (m + n) - Math.min(m, n), 0);
    expect(total - saved).toBe(counts.trainable);
  },
);

const tiny = { vocabulary: 7, context: 5, width: 8, blocks: 2, heads: 2, mlpWidth: 12, batch: 2, seed: 1 };
const variants: Record<string, DecoderOptions> = {
  opt: { layout: "opt", ...tiny, positions: 9, positionOffset: 2 },
  "opt, norms after, narrow table": { layout: "opt", ...tiny, embeddingWidth: 6, normAfter: true },
  llama: { layout: "llama", ...tiny },
};
const ids = { shape: [2, 5], data: Float64Array.from([0, 3, 6, 1, 1, 5, 2, 2, 4, 0]) };

for (const [name, options] of Object.entries(variants)) {
  // The published 0.02 leaves derivatives near the rounding of differences.
  const build = () => decoder({ ...options, initializer: normal(0.4) });

  test(`${name}: gradients are those of finite differences`, () => {
    const graph = build();
    const logits = valueNamed(graph, graph.outputs[0]);
    const loss = reduceSum(mul(logits, mul(logits, logits)));
    const names = [...graph.parameters.keys()];
    const found = gradients(
      loss,
      names.map((n) => valueNamed(graph, n)),
    );
    const weights = Object.fromEntries(
      [...graph.parameters].map(([n, t]) => [n, { shape: t.shape, data: toNumbers(t) }]),
    );
    const feeds = { input: ids, ...weights };
    const values = evaluate(
      graph,
      feeds,
      found.map((g) => g.name),
    );
    const lossNow = () => evaluate(graph, feeds, [loss.name])[loss.name].data[0];
    names.forEach((n, i) => {
      const { data } = weights[n];
      const at = Math.floor(data.length / 3);
      const h = 1e-5;
      const before = data[at];
      data[at] = before + h;
      const up = lossNow();
      data[at] = before - h;
      const down = lossNow();
      data[at] = before;
      const difference = (up - down) / (2 * h);
      const gradient = values[found[i].name].data[at];
      expect(Math.abs(gradient - difference), n).toBeLessThan(1e-6 * (1 + Math.abs(difference)));
    });
  });

  test(`${name}: a token has no effect on those before it, and one on those after`, () => {
    const graph = build();
    const logits = (data: Float64Array) =>
      evaluate(graph, { input: { shape: [2, 5], data } })[graph.outputs[0]].data;
    const before = logits(ids.data);
    const after = logits(ids.data.with(3, 4));
    const changed = (row: number) =>
      Math.max(...Array.from({ length: 7 }, (_, i) => Math.abs(after[row * 7 + i] - before[row * 7 + i])));
    for (const row of [0, 1, 2, 5, 6, 7, 8, 9]) expect(changed(row)).toBe(0);
    for (const row of [3, 4]) expect(changed(row)).toBeGreaterThan(1e-6);
  });
}

test("rotary positions: equal tokens look alike wherever they stand, but their order counts", () => {
  const logits = (options: DecoderOptions, tokens: number[]) => {
    const graph = decoder({ ...options, batch: 1, blocks: 1, initializer: normal(0.4) });
    const feeds = { input: { shape: [1, 5], data: Float64Array.from(tokens) } };
    return evaluate(graph, feeds)[graph.outputs[0]].data;
  };
  const same = logits(variants.llama, [3, 3, 3, 3, 3]);
  for (let i = 0; i < 35; i++) expect(Math.abs(same[i] - same[i % 7])).toBeLessThan(1e-9);
  const learned = logits(variants.opt, [3, 3, 3, 3, 3]);
  expect(Math.abs(learned[7] - learned[0])).toBeGreaterThan(1e-3);
  // One block without positions would sum over what came before in any order.
  const [ordered, swapped] = [
    logits(variants.llama, [1, 2, 3, 4, 5]),
    logits(variants.llama, [2, 1, 3, 4, 5]),
  ];
  expect(Math.abs(ordered[34] - swapped[34])).toBeGreaterThan(1e-4);
});
