import { expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { gradients } from "../../src/engine/gradients.ts";
import type { Graph, Value } from "../../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import * as op from "../../src/engine/operators/index.ts";
import type { Numeric } from "../../src/engine/operators/operator.ts";
import { orderProducts } from "../../src/engine/product-order.ts";
import { sizeOf } from "../../src/engine/tensor.ts";
import { random } from "../../src/random.ts";
import { normals } from "./lowering/compare.ts";

const matrix = (graph: Graph, name: string, rows: number, columns: number) =>
  parameter(graph, name, normals([rows, columns], rows + 7 * columns));

/** Multiplications of all matrix products of a graph. */
function multiplications(graph: Graph): number {
  const size = (name: string) => sizeOf(graph.types.get(name)!.shape);
  return graph.nodes
    .filter((n) => n.op === "MatMul" || n.op === "Gemm")
    .reduce((sum, n) => sum + size(n.inputs[0]) * graph.types.get(n.outputs[0])!.shape.at(-1)!, 0);
}

function feedsOf(graph: Graph): Record<string, Numeric> {
  const rng = random(3);
  return Object.fromEntries(
    graph.inputs.map((name) => {
      const { dtype, shape } = graph.types.get(name)!;
      const number = () => (dtype === "int32" ? rng.integer(7) : rng.normal());
      return [name, { shape, data: Float64Array.from({ length: sizeOf(shape) }, number) }];
    }),
  );
}

/** The outputs of the graph as it is and in the cheaper order, in double precision. */
function bothWays(graph: Graph): [number[][], number[][]] {
  const results = (g: Graph) => {
    const values = evaluate(g, feedsOf(g));
    return g.outputs.map((name) => Array.from(values[name].data));
  };
  return [results(graph), results(orderProducts(graph))];
}

function expectEqual([found, expected]: [number[][], number[][]]): void {
  expect(found.length).toBe(expected.length);
  found.flat().forEach((v, i) => expect(v).toBeCloseTo(expected.flat()[i], 9));
}

/** A graph of a [20, 9] input or of [20, 2] ids below 7, and the multiplications that its best order takes. */
const cases: Record<string, { build: (graph: Graph, x: Value, ids: Value) => Value; best: number }> = {
  "two layers": {
    build: (g, x) => op.matmul(op.matmul(x, matrix(g, "a", 9, 30)), matrix(g, "b", 30, 4)),
    best: 9 * 30 * 4 + 20 * 9 * 4,
  },
  "two layers with transposed weights": {
    build: (g, x) =>
      op.gemm(op.gemm(x, matrix(g, "a", 30, 9), { transB: true }), matrix(g, "b", 4, 30), { transB: true }),
    best: 9 * 30 * 4 + 20 * 9 * 4,
  },
  "a wide bottleneck between narrow ones": {
    build: (g, x) => {
      const wide = op.matmul(op.matmul(x, matrix(g, "a", 9, 2)), matrix(g, "b", 2, 40));
      return op.matmul(wide, matrix(g, "c", 40, 3));
    },
    best: 20 * 9 * 2 + 2 * 40 * 3 + 20 * 2 * 3,
  },
  "a sum of looked-up rows": {
    build: (g, _, ids) => {
      const sum = op.reduceSum(op.embedding(matrix(g, "e", 7, 11), ids), [1]);
      return op.matmul(sum, op.transpose(matrix(g, "w", 5, 11), [1, 0]));
    },
    best: 7 * 11 * 5,
  },
  "rows of three axes": {
    build: (g, _, ids) => op.matmul(op.embedding(matrix(g, "e", 7, 11), ids), matrix(g, "w", 11, 5)),
    best: 7 * 11 * 5,
  },
};

test.each(Object.entries(cases))(
  "%s: the same results, in the fewest multiplications",
  (_, { build, best }) => {
    const graph = createGraph("chain");
    const x = input(graph, "x", [20, 9]);
    const ids = input(graph, "ids", [20, 2], { dtype: "int32" });
    output(build(graph, x, ids));
    expectEqual(bothWays(graph));
    expect(multiplications(graph)).toBeGreaterThan(best);
    const ordered = orderProducts(graph);
    expect(multiplications(ordered)).toBe(best);
    expect(ordered.outputs).toEqual(graph.outputs);
  },
);

/** Chains that must stay: something else reads the intermediate, or the other order is dearer. */
const kept: Record<string, (graph: Graph, x: Value, ids: Value) => Value[]> = {
  "an intermediate that is an output": (g, x) => {
    const first = op.matmul(x, matrix(g, "a", 9, 30));
    return [first, op.matmul(first, matrix(g, "b", 30, 4))];
  },
  "an intermediate that another node reads": (g, x) => {
    const first = op.matmul(x, matrix(g, "a", 9, 30));
    return [op.add(op.reduceSum(first), op.matmul(first, matrix(g, "b", 30, 4)))];
  },
  "a bias in between": (g, x) => {
    const c = parameter(g, "c", normals([30], 1));
    return [op.matmul(op.gemm(x, matrix(g, "a", 9, 30), { c }), matrix(g, "b", 30, 4))];
  },
  "a narrow middle": (g, x) => [op.matmul(op.matmul(x, matrix(g, "a", 9, 2)), matrix(g, "b", 2, 40))],
  "a sum within the rows": (g, _, ids) => {
    const rows = op.embedding(matrix(g, "e", 7, 11), ids);
    return [op.matmul(op.reduceSum(rows, [2]), matrix(g, "w", 2, 1))];
  },
};

test.each(Object.entries(kept))("%s keeps the order", (_, build) => {
  const graph = createGraph("kept");
  const x = input(graph, "x", [20, 9]);
  const ids = input(graph, "ids", [20, 2], { dtype: "int32" });
  for (const y of build(graph, x, ids)) output(y);
  expect(multiplications(orderProducts(graph))).toBe(multiplications(graph));
  expectEqual(bothWays(graph));
});

test("gradients of the cheaper order are those of the given one", () => {
  const build = (order: (graph: Graph) => Graph) => {
    const graph = createGraph("step");
    const ids = input(graph, "ids", [20, 2], { dtype: "int32" });
    output(cases["a sum of looked-up rows"].build(graph, ids, ids));
    const ordered = order(graph);
    const y = { graph: ordered, name: ordered.outputs[0], ...ordered.types.get(ordered.outputs[0])! };
    const values = [...ordered.parameters].map(([name, t]) => ({ graph: ordered, name, ...t }));
    ordered.outputs = [];
    for (const g of gradients(op.reduceSum(op.mul(y, y)), values)) output(g);
    const results = evaluate(ordered, feedsOf(ordered));
    return ordered.outputs.map((name) => Array.from(results[name].data));
  };
  expectEqual([build(orderProducts), build((graph) => graph)]);
});
