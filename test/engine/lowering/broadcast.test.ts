import { expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { broadcastInPlace } from "../../../src/engine/lowering/broadcast.ts";
import { add, div, expand, mul, split, sub, sum } from "../../../src/engine/operators/index.ts";
import { normals, runPlain } from "./compare.ts";

const expansions = (graph: Graph) => graph.nodes.filter(({ op }) => op === "Expand").length;

test("operators that broadcast read what was expanded for them, and compute the same", async () => {
  const graph = createGraph("g");
  const x = input(graph, "x", [3, 4, 5], { batched: false });
  const row = input(graph, "row", [3, 1, 5], { batched: false });
  const wide = expand(row, [3, 4, 5]);
  for (const y of [add(x, wide), sub(wide, x), mul(wide, x), div(x, wide), sum(wide, x)])
    output(y, { batched: false });
  const lowered = broadcastInPlace(graph);
  expect([expansions(graph), expansions(lowered)]).toEqual([1, 0]);
  const feeds = { x: normals([3, 4, 5], 1), row: normals([3, 1, 5], 2) };
  expect(await runPlain(lowered, feeds)).toEqual(await runPlain(graph, feeds));
});

test("an expansion that gives a result its shape stays, for as many operands as it takes", async () => {
  const graph = createGraph("g");
  const row = input(graph, "row", [1, 5], { batched: false });
  const column = input(graph, "column", [4, 1], { batched: false });
  output(mul(expand(row, [4, 5]), 2), { batched: false });
  output(add(expand(row, [3, 5]), expand(row, [3, 5])), { batched: false });
  // Together these two have the shape without being expanded.
  output(mul(expand(row, [4, 5]), expand(column, [4, 5])), { batched: false });
  const lowered = broadcastInPlace(graph);
  expect(lowered.outputs.map((name) => lowered.types.get(name)!.shape)).toEqual([
    [4, 5],
    [3, 5],
    [4, 5],
  ]);
  expect([expansions(graph), expansions(lowered)]).toEqual([5, 2]);
  const feeds = { row: normals([1, 5], 3), column: normals([4, 1], 4) };
  expect(await runPlain(lowered, feeds)).toEqual(await runPlain(graph, feeds));
});

test("what is read besides an expansion may be any result of a node with several", async () => {
  const graph = createGraph("g");
  const x = input(graph, "x", [4, 6], { batched: false });
  const row = input(graph, "row", [1, 3], { batched: false });
  for (const part of [x, mul(x, 2)].flatMap((half) => split(half, [3, 3], 1)))
    output(add(part, expand(row, [4, 3])), { batched: false });
  const lowered = broadcastInPlace(graph);
  expect([expansions(graph), expansions(lowered)]).toEqual([4, 0]);
  const feeds = { x: normals([4, 6], 5), row: normals([1, 3], 6) };
  expect(Object.values(await runPlain(lowered, feeds))).toEqual(Object.values(await runPlain(graph, feeds)));
});
