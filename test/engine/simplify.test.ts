import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { gradients } from "../../src/engine/gradients.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { cloneGraph, constant, createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import * as op from "../../src/engine/operators/index.ts";
import { apply, integers, scalar } from "../../src/engine/operators/operator.ts";
import { replay } from "../../src/engine/replay.ts";
import {
  dedupe,
  foldConstants,
  removeDeadNodes,
  removeIdentities,
  simplify,
} from "../../src/engine/simplify.ts";
import { fromNumbers, sizeOf, tensor } from "../../src/engine/tensor.ts";
import { random } from "../../src/random.ts";

const operators = (graph: Graph) => graph.nodes.map((n) => n.op);

function feedsOf(graph: Graph) {
  const rng = random(11);
  return Object.fromEntries(
    graph.inputs.map((name) => {
      const { shape } = graph.types.get(name)!;
      return [name, { shape, data: Float64Array.from({ length: sizeOf(shape) }, () => rng.normal()) }];
    }),
  );
}

/** Every value that is named anywhere is declared, everything declared is used or fed, nodes are in order. */
function expectWhole(graph: Graph) {
  const known = new Set(["", ...graph.inputs, ...graph.parameters.keys(), ...graph.constants.keys()]);
  for (const node of graph.nodes) {
    for (const i of node.inputs) expect(known).toContain(i);
    for (const o of node.outputs) known.add(o);
  }
  for (const o of graph.outputs) expect(known).toContain(o);
  expect([...known].filter((n) => n !== "").sort()).toEqual([...graph.types.keys()].sort());
}

/** Applies `change` and expects the same outputs, exactly. */
function expectSame(graph: Graph, change: (graph: Graph) => void) {
  const before = evaluate(graph, feedsOf(graph));
  const names = [...graph.outputs];
  change(graph);
  expect(graph.outputs).toEqual(names);
  expect(evaluate(graph, feedsOf(graph))).toEqual(before);
  expectWhole(graph);
}

/** Flattens all but the batch as exporters write it: Shape, Gather, Unsqueeze, Concat, Reshape. */
function exported() {
  const graph = createGraph("exported");
  const x = input(graph, "x", [2, 3, 4]);
  const shape = apply(graph, "Shape", [x])[0];
  const batch = op.unsqueeze(apply(graph, "Gather", [shape, scalar(graph, 0, "int64")], { axis: 0 })[0], [0]);
  const target = op.concat([batch, integers(graph, [12])], 0);
  // A Reshape whose target is not a constant yet cannot be inferred: the importer folds as it reads.
  graph.constants.set(target.name, tensor("int64", [2], [2, 12]));
  const flat = apply(graph, "Reshape", [x, target])[0];
  graph.constants.delete(target.name);
  output(op.tanh(flat));
  return graph;
}

test("shape computations vanish, and the batch size is not written into the graph", () => {
  const graph = exported();
  expectSame(graph, simplify);
  expect(operators(graph)).toEqual(["Reshape", "Tanh"]);
  expect(graph.types.get(replay(graph, { batch: 5 }).outputs[0])).toBeDefined();
  expect(replay(graph, { batch: 5 }).types.get(graph.outputs[0])!.shape).toEqual([5, 12]);
});

test("constants are folded, parameters and outputs are not", () => {
  const graph = createGraph("fold");
  const x = input(graph, "x", [3]);
  const w = parameter(graph, "w", tensor("float32", [3], [1, 2, 3]));
  const three = op.add(constant(graph, tensor("float32", [3], [1, 1, 1])), scalar(graph, 2));
  output(op.mul(op.mul(x, op.exp(w)), op.mul(three, 2)));
  output(op.neg(scalar(graph, 4)));
  expectSame(graph, (g) => {
    foldConstants(g);
    removeDeadNodes(g);
  });
  expect(operators(graph)).toEqual(["Exp", "Mul", "Mul", "Neg"]);
});

test("what would be large stays computed", () => {
  const graph = createGraph("large");
  const x = input(graph, "x", [1]);
  const wide = apply(graph, "Expand", [scalar(graph, 1), integers(graph, [1_000_001])])[0];
  output(op.mul(op.reduceSum(wide), x));
  foldConstants(graph);
  expect(operators(graph)).toEqual(["Expand", "ReduceSum", "Mul"]);
});

test("random operators are neither folded nor merged", () => {
  const graph = createGraph("random");
  const x = input(graph, "x", [3]);
  const dropped = [0, 1].map(() => apply(graph, "Dropout", [x, scalar(graph, 0.5)])[0]);
  output(op.sub(dropped[0], dropped[1]));
  simplify(graph);
  expect(operators(graph)).toEqual(["Dropout", "Dropout", "Sub"]);
});

test("nodes that do nothing go; those that are outputs, cast or move stay", () => {
  const graph = createGraph("identities");
  const x = input(graph, "x", [2, 2]);
  let y = op.identity(x);
  y = apply(graph, "Transpose", [y], { perm: [0, 1] })[0];
  y = apply(graph, "Reshape", [y, integers(graph, [2, 2])])[0];
  y = apply(graph, "Concat", [y], { axis: 0 })[0];
  y = apply(graph, "Cast", [y], { to: 1 })[0];
  y = apply(graph, "Expand", [y, integers(graph, [1, 2])])[0];
  output(op.transpose(y, [1, 0]));
  output(op.cast(op.cast(y, "int32"), "float32"));
  output(op.identity(y));
  expectSame(graph, (g) => {
    removeIdentities(g);
    removeDeadNodes(g);
  });
  expect(operators(graph)).toEqual(["Transpose", "Cast", "Cast", "Identity"]);
});

test("what is computed twice is computed once, unless inputs, attributes or their order differ", () => {
  const graph = createGraph("twice");
  const x = input(graph, "x", [2, 2]);
  const y = input(graph, "y", [2, 2]);
  const pair = () => op.exp(op.sub(x, op.mul(y, 3)));
  output(op.add(pair(), pair()));
  output(op.sub(y, x));
  output(op.sub(x, y));
  output(op.sub(x, y));
  output(op.add(op.leakyRelu(x, { alpha: 0.1 }), op.leakyRelu(x, { alpha: 0.2 })));
  expectSame(graph, (g) => {
    dedupe(g);
    removeDeadNodes(g);
  });
  expect(operators(graph).filter((o) => o === "Exp")).toHaveLength(1);
  expect(operators(graph).filter((o) => o === "Sub")).toHaveLength(4);
  expect(operators(graph).filter((o) => o === "LeakyRelu")).toHaveLength(2);
});

test("equal constants under different names become one, unlike ones do not", () => {
  const graph = createGraph("constants");
  const x = input(graph, "x", [2]);
  const named = (name: string, values: number[], dtype: "float32" | "int64" = "float32") =>
    constant(graph, tensor(dtype, [2], fromNumbers(dtype, values)), name);
  output(op.add(op.mul(x, named("a", [1, 2])), op.mul(x, named("b", [1, 2]))));
  output(op.add(op.mul(x, named("c", [0, 2])), op.div(x, named("d", [-0, 2]))));
  output(op.cast(named("e", [1, 2], "int64"), "float32"));
  expectSame(graph, simplify);
  expect([...graph.constants.keys()]).toEqual(["a", "c", "d", "e"]);
});

test("statistics that a runtime overwrites are not shared", () => {
  const graph = createGraph("statistics");
  const x = input(graph, "x", [2, 3, 4, 4]);
  const one = constant(graph, tensor("float32", [3], [1, 1, 1]));
  const zero = constant(graph, tensor("float32", [3], [0, 0, 0]));
  for (const epsilon of [0.1, 0.2]) output(op.batchNormTraining(x, one, zero, { epsilon }).y);
  expectSame(graph, simplify);
  const [first, second] = graph.nodes.filter((n) => n.op === "BatchNormalization");
  expect(first.inputs[3]).not.toBe(second.inputs[3]);
  expect(first.inputs[4]).not.toBe(second.inputs[4]);
});

test("names that constants leave behind can be used again", () => {
  const graph = createGraph("names");
  const x = input(graph, "x", [1]);
  op.mul(x, 5);
  removeDeadNodes(graph);
  output(op.mul(x, 7));
  output(op.mul(x, 5));
  const [seven, five] = graph.outputs.map(
    (o) => evaluate(graph, { x: { shape: [1], data: Float64Array.of(1) } })[o].data[0],
  );
  expect([seven, five]).toEqual([7, 5]);
});

describe("a training graph", () => {
  const training = (depth: number) => {
    const graph = createGraph("training");
    let y = input(graph, "x", [3, 4]);
    const weights = Array.from({ length: depth }, (_, i) =>
      parameter(
        graph,
        `w${i}`,
        tensor(
          "float32",
          [4, 4],
          Array.from({ length: 16 }, (_, j) => Math.sin(i + j)),
        ),
      ),
    );
    for (const w of weights) y = op.add(op.tanh(op.matmul(y, w)), op.sigmoid(op.matmul(y, w)));
    const loss = op.reduceMean(op.mul(y, y));
    for (const g of gradients(loss, weights)) output(g);
    output(loss);
    return graph;
  };

  test("computes the same with fewer nodes", () => {
    const graph = training(3);
    const before = graph.nodes.length;
    expectSame(graph, simplify);
    expect(graph.nodes.length).toBeLessThan(before);
    const again = cloneGraph(graph);
    simplify(again);
    expect(again.nodes).toEqual(graph.nodes);
  });

  test("of thousands of nodes takes a moment", () => {
    const graph = training(300);
    expect(graph.nodes.length).toBeGreaterThan(5000);
    // Of the processor: what others take of the machine is not this one's time.
    const start = process.cpuUsage();
    simplify(graph);
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1000).toBeLessThan(2000);
  });
});

test("the comparison fails for a simplification that merges what differs", () => {
  const graph = createGraph("planted");
  const x = input(graph, "x", [2]);
  output(op.sub(op.mul(x, 2), op.mul(x, 3)));
  expect(() =>
    expectSame(graph, (g) => {
      g.nodes[2].inputs[1] = g.nodes[2].inputs[0];
    }),
  ).toThrow();
});
