import { expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { sumOnOneThread } from "../../../src/engine/lowering/single-thread.ts";
import { sumByIndex } from "../../../src/engine/operators/indexing.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { normals, runPlain } from "./compare.ts";

const count = (graph: Graph, op: string) => graph.nodes.filter((n) => n.op === op).length;

test.each([5, 300])(
  "sums into %i rows on one thread are those of a loop, indices from the end too",
  async (rows) => {
    const graph = createGraph("g");
    const updates = input(graph, "updates", [10, 7, 4], { batched: false });
    const at = input(graph, "at", [10, 7], { dtype: "int32", batched: false });
    output(sumByIndex(updates, at, [rows, 4], 0), { batched: false });
    const lowered = sumOnOneThread(graph);
    expect([count(lowered, "SumByIndex"), count(lowered, "ScatterND")]).toEqual([0, 1]);
    expect(lowered.outputs).toEqual(graph.outputs);
    const feeds = {
      updates: normals([10, 7, 4], 1),
      at: tensor(
        "int32",
        [10, 7],
        Array.from({ length: 70 }, (_, i) => ((i * i) % rows) - (i % 3 === 0 ? rows : 0)),
      ),
    };
    const expected = new Float64Array(rows * 4);
    feeds.at.data.forEach((index, i) => {
      for (let j = 0; j < 4; j++) expected[((index + rows) % rows) * 4 + j] += feeds.updates.data[4 * i + j];
    });
    for (const g of [lowered, graph]) {
      const [found] = Object.values(await runPlain(g, feeds));
      expect(Math.max(...expected.map((e, i) => Math.abs(found[i] - e)))).toBeLessThan(1e-5);
    }
  },
);

test("sums along another axis keep their portable spelling", () => {
  const graph = createGraph("g");
  const updates = input(graph, "updates", [2, 6], { batched: false });
  const at = input(graph, "at", [6], { dtype: "int32", batched: false });
  output(sumByIndex(updates, at, [2, 3], 1), { batched: false });
  expect(sumOnOneThread(graph)).toBe(graph);
});
