import { expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { relu } from "../../src/engine/operators/index.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { layers } from "../../src/nn/layers.ts";
import { compareRuns, openSkippingZeros } from "../../src/runs/skipping-zeros.ts";

test("a network whose zeros are skipped has been compared, and gives the outputs of its definition", async () => {
  const graph = createGraph("mlp");
  const { linear } = layers(graph, 1);
  output(linear("last", relu(linear("wide", input(graph, "x", [1, 200]), 300)), 5));
  const weights = graph.parameters.get("wide.weight")!.data;
  for (let i = 0; i < weights.length; i++) if (i % 50 > 0) weights[i] = 0;
  const session = await openSkippingZeros(graph, { batch: 2, threads: 1 });
  expect(session.outputError).toBeLessThan(1e-5);
  expect(session.plan).toMatchObject({
    batch: 2,
    layers: [{ layer: "wide", density: 0.02 }, { layer: "last" }],
  });

  const x = Float32Array.from({ length: 400 }, (_, i) => Math.sin(i));
  const found = (await session.run({ x: tensor("float32", [2, 200], x) }))[graph.outputs[0]];
  await session.release();
  for (const sample of [0, 1]) {
    const row = { shape: [1, 200], data: Float64Array.from(x.subarray(200 * sample, 200 * (sample + 1))) };
    const expected = evaluate(graph, { x: row })[graph.outputs[0]].data;
    expected.forEach((v, i) => {
      expect(found.data[5 * sample + i]).toBeCloseTo(v, 4);
    });
  }
});

test("outputs that differ by more than rounding are refused", async () => {
  const giving = (...values: number[]) => ({
    run: async (): Promise<Record<string, Tensor>> => ({
      y: tensor("float32", [values.length], Float32Array.from(values)),
    }),
  });
  expect(await compareRuns(giving(1, -2), giving(1.0001, -2), {})).toBeCloseTo(5e-5, 6);
  for (const wrong of [giving(1.001, -2), giving(1, Number.NaN)])
    await expect(compareRuns(giving(1, -2), wrong, {})).rejects.toThrow(
      /with its zeros skipped the network's outputs differ by .*please report this/,
    );
});
