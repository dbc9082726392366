import { expect, test } from "vitest";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../../src/engine/graph.ts";
import { scatterIntoSums } from "../../../src/engine/lowering/scatter-sum.ts";
import {
  add,
  concat,
  expand,
  mul,
  scatterElements,
  slice,
  sub,
  sum,
} from "../../../src/engine/operators/index.ts";
import { scalar } from "../../../src/engine/operators/operator.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { normals, runPlain } from "./compare.ts";

const [ROWS, COLUMNS] = [4, 3];
const feeds = {
  x: normals([ROWS, COLUMNS], 1),
  updates: normals([ROWS, 1], 2),
  at: tensor("int32", [ROWS, 1], [2, 0, 1, 0]),
  elsewhere: tensor("int32", [ROWS, 1], [2, 1, 1, 0]),
};

/** A graph of inputs as `feeds`, its lowering, and how many nodes of each operator the two have. */
async function lower(build: (inputs: Record<keyof typeof feeds | "zeros" | "none", Value>) => Value[]) {
  const graph = createGraph("g");
  const given = (Object.keys(feeds) as (keyof typeof feeds)[]).map((name) => {
    const { shape, dtype } = feeds[name];
    return [name, input(graph, name, shape, { dtype, batched: false })];
  });
  const zeros = expand(scalar(graph, 0), [ROWS, COLUMNS]);
  const none = constant(graph, tensor("float32", [ROWS, 1], new Float32Array(ROWS)));
  for (const y of build({ ...Object.fromEntries(given), zeros, none })) output(y, { batched: false });
  const lowered = scatterIntoSums(graph);
  expect(await runPlain(lowered, feeds)).toEqual(await runPlain(graph, feeds));
  const count = (g: Graph, op: string) => g.nodes.filter((n) => n.op === op).length;
  return [graph, lowered].map((g) => [count(g, "Sum"), count(g, "ScatterElements")]);
}

test("x plus a scatter onto zeros is a scatter onto x, from either side", async () => {
  const counts = await lower(({ x, updates, at, zeros }) => {
    const scattered = () => scatterElements(zeros, at, updates, { axis: 1, reduction: "add" });
    return [sum(x, scattered()), sum(scattered(), mul(x, 2))];
  });
  expect(counts).toEqual([
    [2, 2],
    [0, 2],
  ]);
});

test("where x has just been cleared at the same indices, the updates are put there", async () => {
  const counts = await lower(({ x, updates, at, zeros, none }) => [
    sum(
      scatterElements(x, at, none, { axis: 1 }),
      scatterElements(zeros, at, updates, { axis: 1, reduction: "add" }),
    ),
  ]);
  expect(counts).toEqual([
    [1, 2],
    [0, 1],
  ]);
});

test("other indices, other axes and other values than 0 are added to", async () => {
  const counts = await lower(({ x, updates, at, elsewhere, zeros }) => {
    const scattered = () => scatterElements(zeros, at, updates, { axis: 1, reduction: "add" });
    const cleared = (where: Value, by: Value) => scatterElements(x, where, by, { axis: 1 });
    return [
      sum(cleared(elsewhere, sub(updates, updates)), scattered()),
      sum(cleared(at, updates), scattered()),
    ];
  });
  expect(counts).toEqual([
    [2, 4],
    [0, 4],
  ]);
});

test("updates that meet are added up even where x has just been cleared", async () => {
  const counts = await lower(({ x, at, zeros }) => {
    const twice = concat([at, at], 1);
    const none = expand(scalar(x.graph, 0), [ROWS, 2]);
    return [
      sum(
        scatterElements(x, twice, none, { axis: 1 }),
        scatterElements(zeros, twice, slice(x, { 1: { end: 2 } }), { axis: 1, reduction: "add" }),
      ),
    ];
  });
  expect(counts).toEqual([
    [1, 2],
    [0, 2],
  ]);
});

test("a scatter onto something else than zeros, one that is read twice and one that makes the sum larger stay", async () => {
  const counts = await lower(({ x, updates, at, zeros }) => {
    const onto = (target: Value) => scatterElements(target, at, updates, { axis: 1, reduction: "add" });
    const twice = onto(zeros);
    return [sum(x, onto(x)), sum(x, twice), add(twice, x), sum(updates, onto(zeros))];
  });
  expect(counts).toEqual([
    [3, 3],
    [3, 3],
  ]);
});
