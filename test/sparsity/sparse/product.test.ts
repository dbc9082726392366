import { expect, test } from "vitest";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { clip, conv, gemm, matmul, relu } from "../../../src/engine/operators/index.ts";
import { random } from "../../../src/random.ts";
import { createRunner } from "../../../src/sparsity/sparse/runner.ts";
import { errorOf, randomFeeds, runSparse, sparseTensor } from "./support.ts";

const rng = random(1);
const DENSITIES = [0, 0.05, 0.3, 1];
/** Rounding of float32 sums of up to a thousand products, in another order than the oracle's. */
const TOLERANCE = 1e-5;

function linear(batch: number, rows: number, columns: number, density: number) {
  const graph = createGraph("linear");
  const x = input(graph, "x", [batch, columns]);
  const w = sparseTensor(rng, [rows, columns], density);
  w.data.fill(0, columns, 2 * columns);
  const b = parameter(graph, "b", sparseTensor(rng, [rows]));
  output(relu(gemm(x, parameter(graph, "w", w), { transB: true, c: b })));
  return graph;
}

test.each(["row", "block"] as const)(
  "linear layers, stored by %s: batches around the vector width",
  async (format) => {
    for (const batch of [1, 2, 3, 4, 5, 8, 13, 16, 17, 33])
      for (const density of DENSITIES)
        for (const [rows, columns] of [
          [1, 1],
          [7, 5],
          [21, 30],
        ]) {
          const { error, pieces } = await runSparse(rng, linear(batch, rows, columns, density), { format });
          expect(error, `batch ${batch}, ${rows}×${columns}, density ${density}`).toBeLessThan(TOLERANCE);
          expect(pieces).toEqual(["sparse"]);
        }
  },
);

test.each(["row", "block"] as const)("wide layers are summed in bands, stored by %s", async (format) => {
  for (const batch of [16, 40])
    expect((await runSparse(rng, linear(batch, 10, 2000, 0.4), { format })).error).toBeLessThan(TOLERANCE);
  for (const [lanes, size] of [
    [4, 8],
    [4, 7],
    [16, 3],
  ]) {
    const graph = createGraph("conv");
    const x = input(graph, "x", [5, 200, size, size]);
    output(clip(conv(x, parameter(graph, "w", sparseTensor(rng, [6, 200, 3, 3], 0.3)), { pads: 1 }), -9, 8));
    expect((await runSparse(rng, graph, { lanes, format })).error, `${size}`).toBeLessThan(TOLERANCE);
  }
});

const WINDOWS = [
  { height: 8, width: 8, kernel: [3, 3], pads: 1 },
  { height: 9, width: 7, kernel: [3, 3], pads: 1, strides: 2 },
  { height: 5, width: 6, kernel: [2, 2], strides: 3 },
  { height: 1, width: 1, kernel: [1, 1] },
  { height: 9, width: 20, kernel: [3, 3], pads: 2, dilations: 2 },
  { height: 3, width: 3, kernel: [1, 1], strides: 2 },
  { height: 2, width: 2, kernel: [3, 3], pads: 1 },
  { height: 6, width: 5, kernel: [5, 3], pads: [2, 0, 1, 2], strides: [1, 2] },
  { height: 11, width: 33, kernel: [1, 3], pads: [0, 1, 0, 1] },
  { height: 7, width: 7, kernel: [3, 3], pads: 1, dilations: [2, 1], strides: [2, 1] },
];

test.each(WINDOWS)("convolution with windows %j", async ({ height, width, kernel, ...options }) => {
  for (const batch of [1, 3, 6])
    for (const lanes of batch === 1 ? [1] : batch === 3 ? [4] : [8, 16])
      for (const format of ["row", "block"] as const)
        for (const density of lanes === 16 ? [0.3] : DENSITIES) {
          const graph = createGraph("conv");
          const x = input(graph, "x", [batch, 5, height, width]);
          const bias = parameter(graph, "b", sparseTensor(rng, [9]));
          const w = parameter(graph, "w", sparseTensor(rng, [9, 5, ...kernel], density));
          // A second convolution reads the first one's result with its margin.
          const w2 = parameter(graph, "w2", sparseTensor(rng, [8, 9, 1, 3], 0.5));
          output(conv(relu(conv(x, w, { bias, ...options })), w2, { pads: [0, 1, 0, 1] }));
          const { error, pieces } = await runSparse(rng, graph, { lanes, format });
          expect(error, `batch ${batch}, lanes ${lanes}, ${format}, density ${density}`).toBeLessThan(
            TOLERANCE,
          );
          expect(pieces).toEqual(["sparse"]);
        }
});

test("grouped and depthwise convolutions read only their own channels", async () => {
  for (const [group, channels, made] of [
    [2, 6, 8],
    [6, 6, 6],
    [3, 6, 12],
  ])
    for (const batch of [1, 5]) {
      const graph = createGraph("grouped");
      const x = input(graph, "x", [batch, channels, 6, 6]);
      const w = parameter(graph, "w", sparseTensor(rng, [made, channels / group, 3, 3], 0.5));
      output(conv(x, w, { group, pads: 1, strides: 2 }));
      expect((await runSparse(rng, graph)).error, `${group} groups`).toBeLessThan(TOLERANCE);
    }
});

test("spellings of a linear layer: scaled, turned, one bias for all, MatMul", async () => {
  const graph = createGraph("spellings");
  const x = input(graph, "x", [3, 6]);
  const w = parameter(graph, "w", sparseTensor(rng, [6, 5], 0.5));
  const turned = parameter(graph, "t", sparseTensor(rng, [4, 5], 0.5));
  const y = gemm(x, w, { alpha: 0.5, beta: 2, c: parameter(graph, "b", sparseTensor(rng, [1])) });
  output(
    matmul(gemm(y, turned, { transB: true, alpha: -1 }), parameter(graph, "m", sparseTensor(rng, [4, 2]))),
  );
  expect((await runSparse(rng, graph)).error).toBeLessThan(TOLERANCE);
});

test("an altered weight is noticed", async () => {
  const graph = linear(5, 7, 9, 0.5);
  const runner = await createRunner(graph, new Set(graph.nodes.filter((n) => n.op === "Gemm")));
  const feeds = randomFeeds(rng, graph);
  const found = await runner.run(feeds);
  expect(errorOf(graph, feeds, found)).toBeLessThan(TOLERANCE);
  const { data } = graph.parameters.get("w")!;
  data[data.findIndex((v) => v !== 0)] *= 1.01;
  expect(errorOf(graph, feeds, found)).toBeGreaterThan(1e-4);
});
