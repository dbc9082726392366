import { describe, expect, it } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import { valueNamed } from "../../../src/engine/graph.ts";
import { mul, reduceSum } from "../../../src/engine/operators/index.ts";
import { sizeOf, toNumbers } from "../../../src/engine/tensor.ts";
import type { TranslatorOptions } from "../../../src/nn/models/translator.ts";
import { translator } from "../../../src/nn/models/translator.ts";
import { linearMaps } from "../../../src/sparsity/spectral/linear-maps.ts";

/** The networks of sst.md P5, whose counts it gives: full, LoRA and SST at rank 2. */
const P5 = {
  sourceVocabulary: 20,
  targetVocabulary: 20,
  sourceLength: 6,
  targetLength: 6,
  positions: 7,
  width: 24,
  heads: 2,
  mlpWidth: 48,
  encoderBlocks: 1,
  decoderBlocks: 1,
} as const;
const COUNTS = { euclidean: [14_084, 4292, 4676], lorentz: [14_840, 4088, 4520] };

describe.each(["euclidean", "lorentz"] as const)("%s translator", (geometry) => {
  it("has the numbers of the specification", () => {
    const graph = translator({ geometry, ...P5 });
    const total = [...graph.parameters.values()].reduce((a, t) => a + sizeOf(t.shape), 0);
    const maps = linearMaps(graph).filter((m) => !m.last);
    const low = maps.reduce((a, { outputs: m, inputs: n }) => a - m * n + 2 * (m + n), total);
    const values = maps.reduce((a, { outputs: m, inputs: n }) => a + Math.min(m, n), 0);
    expect([total, low, low + values]).toEqual(COUNTS[geometry]);
  });

  const small: TranslatorOptions = {
    geometry,
    sourceVocabulary: 5,
    targetVocabulary: 4,
    sourceLength: 3,
    targetLength: 4,
    width: 8,
    heads: 2,
    mlpWidth: 10,
    encoderBlocks: 1,
    decoderBlocks: 1,
    positionStd: 0.3,
    padding: 0,
    batch: 2,
    seed: 2,
  };
  const source = { shape: [2, 3], data: Float64Array.from([1, 2, 3, 4, 2, 0]) };
  const target = { shape: [2, 4], data: Float64Array.from([0, 1, 2, 3, 0, 3, 3, 1]) };

  it("gradients are those of finite differences", () => {
    const graph = translator(small);
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
    const feeds = { source, target, ...weights };
    const values = evaluate(
      graph,
      feeds,
      found.map((g) => g.name),
    );
    const lossNow = () => evaluate(graph, feeds, [loss.name])[loss.name].data[0];
    names.forEach((n, i) => {
      const { data } = weights[n];
      const at = Math.floor(data.length / 2);
      const h = 1e-5;
      const before = data[at];
      data[at] = before + h;
      const up = lossNow();
      data[at] = before - h;
      const down = lossNow();
      data[at] = before;
      const difference = (up - down) / (2 * h);
      const gradient = values[found[i].name].data[at];
      expect(Math.abs(gradient - difference), n).toBeLessThan(1e-5 * (1 + Math.abs(difference)));
    });
  });

  it("sees all of the source but padding, and of the target what came before", () => {
    const graph = translator(small);
    const logits = (s: Float64Array, t: Float64Array) =>
      evaluate(graph, { source: { ...source, data: s }, target: { ...target, data: t } })[graph.outputs[0]]
        .data;
    const before = logits(source.data, target.data);
    const changed = (after: Float64Array, row: number) =>
      Math.max(...Array.from({ length: 4 }, (_, i) => Math.abs(after[row * 4 + i] - before[row * 4 + i])));
    const later = logits(source.data, target.data.with(2, 1));
    for (const row of [0, 1, 4, 5, 6, 7]) expect(changed(later, row)).toBe(0);
    for (const row of [2, 3]) expect(changed(later, row)).toBeGreaterThan(1e-6);
    const other = logits(source.data.with(2, 1), target.data);
    for (const row of [0, 1, 2, 3]) expect(changed(other, row)).toBeGreaterThan(1e-7);
    // What stands at a padded place cannot be seen: only that it is padding.
    const table = graph.parameters.get("source.tokens.weight")!.data;
    table.fill(9, 0, geometry === "lorentz" ? 7 : 8);
    const moved = logits(source.data, target.data);
    for (const row of [4, 5, 6, 7]) expect(changed(moved, row)).toBe(0);
  });
});
