import fc from "fast-check";
import { expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { conv, flatten, gemm, relu } from "../../../src/engine/operators/index.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";
import { compressMatrix } from "../../../src/sparsity/sparse/matrix.ts";
import { sparseLayers } from "../../../src/sparsity/sparse/pieces.ts";
import { cutRows, cutRuns, shareInQuads } from "../../../src/sparsity/sparse/run-matrix.ts";
import { createRunner } from "../../../src/sparsity/sparse/runner.ts";
import { randomFeeds, runSparse, sparseTensor } from "./support.ts";

const rng = random(1);
/** Rounding of float32 sums of up to a thousand products, in another order than the oracle's. */
const TOLERANCE = 1e-5;

/** Weights in runs of a mean length; of length 1 / (1 − density) they are independent. */
function inRuns(rows: number, columns: number, density: number, meanRun = 1 / (1 - density)): Float32Array {
  let on = false;
  return Float32Array.from({ length: rows * columns }, () => {
    on = rng.uniform() < (on ? 1 - 1 / meanRun : density / (1 - density) / meanRun);
    return on ? rng.normal() : 0;
  });
}

test("a row is cut into quads of neighbours and single weights: every weight once", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 80 }), (mask) => {
      const columns = mask.flatMap((used, i) => (used ? [i] : []));
      const { quads, singles } = cutRuns(columns.map((c) => 4 * c + 100));
      const seen = [...singles];
      for (const { at, skip } of quads) {
        for (let k = 1; k < 4; k++) expect(columns[at + k]).toBe(columns[at] + k);
        for (let k = skip; k < 4; k++) seen.push(at + k);
      }
      expect(seen.sort((a, b) => a - b)).toEqual(columns.map((_, i) => i));
    }),
    { numRuns: 300, seed: 1 },
  );
  expect(cutRuns([0, 4, 8, 12, 16, 20, 28])).toEqual({
    quads: [
      { at: 0, skip: 0 },
      { at: 2, skip: 2 },
    ],
    singles: [6],
  });
});

test("independent bits are hardly ever in quads, runs mostly are", () => {
  const share = (density: number, meanRun?: number) => {
    const matrix = compressMatrix("row", inRuns(50, 1000, density, meanRun), 50, 1000);
    return shareInQuads(
      cutRows(matrix, (_, column) => 4 * column),
      matrix,
    );
  };
  // A weight is in a run of four or more with probability 4p³ − 3p⁴.
  for (const p of [0.05, 0.1, 0.2, 0.3]) expect(share(p)).toBeLessThan(4 * p ** 3 - 3 * p ** 4 + 0.01);
  expect(share(0.1, 6)).toBeGreaterThan(0.6);
  expect(share(0.1, 1.5)).toBeLessThan(0.2);
  const matrix = compressMatrix("row", inRuns(5, 100, 0.5, 10), 5, 100);
  expect(
    shareInQuads(
      cutRows(matrix, (_, column) => 16 * column),
      matrix,
    ),
  ).toBe(0);
});

function linear(rows: number, columns: number, w: Float32Array): Graph {
  const graph = createGraph("linear");
  const c = parameter(graph, "b", sparseTensor(rng, [rows]));
  const weights = parameter(graph, "w", tensor("float32", [rows, columns], w));
  output(relu(gemm(input(graph, "x", [1, columns]), weights, { transB: true, c })));
  return graph;
}

test("linear layers in runs give the graph's outputs", async () => {
  for (const [rows, columns] of [
    [1, 1],
    [3, 4],
    [7, 5],
    [21, 30],
    [10, 1000],
  ])
    for (const density of [0, 0.1, 0.5, 1])
      for (const meanRun of [1.5, 6, 20]) {
        const w =
          density === 1 ? sparseTensor(rng, [rows, columns]).data : inRuns(rows, columns, density, meanRun);
        for (const format of ["run", undefined] as const) {
          const { error, pieces } = await runSparse(rng, linear(rows, columns, w), { format });
          expect(error, `${rows}×${columns}, density ${density}, runs of ${meanRun}`).toBeLessThan(TOLERANCE);
          expect(pieces).toEqual(["sparse"]);
        }
      }
});

test("runs across taps of a convolution that makes one number, and across its groups", async () => {
  for (const group of [1, 2]) {
    const graph = createGraph("conv");
    const w = tensor("float32", [4, 6 / group, 4, 4], inRuns(4, (6 / group) * 16, 0.5, 8));
    output(flatten(conv(input(graph, "x", [1, 6, 4, 4]), parameter(graph, "w", w), { group })));
    expect((await runSparse(rng, graph, { format: "run" })).error).toBeLessThan(TOLERANCE);
  }
});

test("batches have no runs to multiply side by side; they are computed weight by weight", async () => {
  const graph = createGraph("batch");
  const w = tensor("float32", [20, 60], inRuns(20, 60, 0.3, 8));
  output(gemm(input(graph, "x", [9, 60]), parameter(graph, "w", w), { transB: true }));
  expect((await runSparse(rng, graph, { format: "run" })).error).toBeLessThan(TOLERANCE);
});

test("two threads share the rows and give the same bits", async () => {
  const graph = linear(33, 400, inRuns(33, 400, 0.2, 6));
  const feeds = randomFeeds(rng, graph);
  const results = [];
  for (const kernelThreads of [1, 2]) {
    const runner = await createRunner(graph, new Set(sparseLayers(graph)), { format: "run", kernelThreads });
    results.push(await runner.run(feeds));
    await runner.release();
  }
  expect(results[0]).toEqual(results[1]);
});

test("altered weights are noticed", async () => {
  const w = inRuns(10, 100, 0.3, 8);
  const graph = linear(10, 100, w);
  const feeds = randomFeeds(rng, graph);
  const outputs = [];
  for (const factor of [1, 1.01]) {
    for (let i = 0; i < w.length; i++) w[i] *= factor;
    const runner = await createRunner(graph, new Set(sparseLayers(graph)), { format: "run" });
    outputs.push(Object.values(await runner.run(feeds))[0].data);
    await runner.release();
  }
  expect(outputs[0]).not.toEqual(outputs[1]);
});
