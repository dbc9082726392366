import { expect, test } from "vitest";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { bestEpoch, outOfPatience, restoreWeights, snapshotWeights } from "../../src/nn/early-stopping.ts";
import { layers } from "../../src/nn/layers.ts";
import type { EpochRecord } from "../../src/nn/trainer.ts";

const historyOf = (figures: readonly number[]): EpochRecord[] =>
  figures.map((v, epoch) => ({ epoch, step: epoch, loss: 1, learningRate: 1, metrics: { v } }));

test.each<[readonly number[], "least" | "greatest", number | undefined, number]>([
  [[3, 2, 1], "least", 2, 3],
  [[3, 2, 2, 4], "least", 1, 3],
  [[3, 2, 4, 5, 1], "least", 4, 3],
  [[3, 2, 4, 5, 1], "greatest", 3, 5],
  [[Number.NaN, 2, Number.NaN, 3], "least", 1, 3],
  [[Number.NaN, Number.NaN], "greatest", undefined, 1],
])("of %j the %s is best, and patience of two ends training as it should", (figures, best, index, last) => {
  const options = { metric: "v", best, patience: 2 };
  const history = historyOf(figures);
  expect(bestEpoch(history, options)).toBe(index);
  const firstStop = history.findIndex((_, i) => outOfPatience(history.slice(0, i + 1), options));
  expect(firstStop === -1 ? figures.length : firstStop).toBe(last);
});

test("a figure that is not measured is named", () => {
  expect(() => bestEpoch(historyOf([1]), { metric: "w", best: "least" })).toThrow(
    /no figure "w" to stop by; there is v$/,
  );
});

test("weights of a snapshot are copies, and go back to the model", () => {
  const graph = createGraph("one");
  const { linear, batchNorm } = layers(graph, 1);
  output(linear("fc", batchNorm("bn", input(graph, "x", [4, 3])), 2));
  const weight = graph.parameters.get("fc.weight")!;
  const [mean, before] = [graph.nodes[0].inputs[3], [...weight.data]];
  const statistic = graph.constants.get(mean)!;
  const kept = snapshotWeights({
    tensors: {
      "parameter/fc.weight": weight,
      [`statistic/${mean}`]: statistic,
      "momentum/fc.weight": weight,
    },
  });
  expect(Object.keys(kept)).toEqual(["parameter/fc.weight", `statistic/${mean}`]);
  (weight.data as Float32Array).fill(9);
  (statistic.data as Float32Array).fill(9);
  restoreWeights(graph, kept);
  expect([...graph.parameters.get("fc.weight")!.data]).toEqual(before);
  expect([...graph.constants.get(mean)!.data]).toEqual([0, 0, 0]);
});
