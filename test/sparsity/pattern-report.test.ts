import { expect, test } from "vitest";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { gemm, matmul, transpose } from "../../src/engine/operators/index.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { lenet } from "../../src/nn/models/lenet.ts";
import { findWeights, fromLines, toLines } from "../../src/sparsity/lines.ts";
import { patternReport } from "../../src/sparsity/pattern-report.ts";

const stored = Float32Array.of(1, 2, 0, 0, 5, 6);

/** One matrix of 2 inputs and 3 outputs, spelled in every way. */
const spellings: Record<string, { shape: number[]; transB: boolean; turn: boolean }> = {
  "Gemm, [in, out]": { shape: [2, 3], transB: false, turn: false },
  "Gemm, [out, in]": { shape: [3, 2], transB: true, turn: false },
  "Gemm, turned twice": { shape: [2, 3], transB: true, turn: true },
  "MatMul of a turned weight": { shape: [3, 2], transB: false, turn: true },
};

test.each(Object.entries(spellings))("lines are what enters a neuron: %s", (_, { shape, transB, turn }) => {
  const graph = createGraph("one");
  const x = input(graph, "x", [1, 2]);
  const w = parameter(graph, "fc.weight", tensor("float32", shape, stored.slice()));
  const read = turn ? transpose(w, [1, 0]) : w;
  output(turn && !transB ? matmul(x, read) : gemm(x, read, { transB }));
  const [layout] = findWeights(graph);
  expect(layout.shape).toEqual({ tiles: 1, rows: 3, columns: 2 });
  const lines = toLines(stored, layout);
  expect([...lines]).toEqual(shape[0] === 3 ? [1, 2, 0, 0, 5, 6] : [1, 0, 2, 5, 0, 6]);
  const back = new Float32Array(6);
  fromLines(lines, layout, back);
  expect([...back]).toEqual([...stored]);
  expect(patternReport(graph)[0]).toMatchObject({
    nonZeros: 4,
    liveLines: shape[0] === 3 ? 2 : 3,
    macs: 6,
    usedMacs: 4,
  });
});

test("a LeNet with one line in use", () => {
  const graph = lenet({ inputShape: [1, 28, 28], classes: 10 });
  for (const { data } of graph.parameters.values()) data.fill(0);
  graph.parameters.get("conv2.weight")!.data.fill(1, 500, 520);
  const report = patternReport(graph);
  expect(report.map((l) => l.weights)).toEqual([500, 25_000, 400_000, 5000]);
  expect(report[1]).toMatchObject({
    name: "conv2",
    nonZeros: 20,
    runs: 1,
    meanRun: 20,
    liveLines: 1,
    liveColumns: 20,
    macs: 1_600_000,
    usedMacs: 1280,
    valueBits: 640,
  });
  expect(report[0]).toMatchObject({ meanRun: 0, valueBits: 0 });
  expect(patternReport(graph, { convolutions: "kernel" })[1]).toMatchObject({ runs: 4, liveLines: 4 });
});
