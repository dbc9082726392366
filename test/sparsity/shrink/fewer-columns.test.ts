import { expect, test } from "vitest";
import type { Graph, Node } from "../../../src/engine/graph.ts";
import { consumers, createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { conv, flatten, gemm, matmul, relu } from "../../../src/engine/operators/index.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";
import { accountModel } from "../../../src/sparsity/accounting.ts";
import type { ColumnForm } from "../../../src/sparsity/column-forms.ts";
import { columnForms, withForms } from "../../../src/sparsity/column-forms.ts";
import { fewerColumns } from "../../../src/sparsity/fewer-columns.ts";
import { exactDifference, randomFeeds, runtimeDifference } from "./equality.ts";

const rng = random(3);

/** Weights [outputs, columns…] whose columns are zero where `keep` says so, by channel and tap. */
function weights(shape: readonly number[], keep: (channel: number, tap: number) => boolean) {
  const taps = sizeOf(shape.slice(2));
  const columns = shape[1] * taps;
  return tensor(
    "float32",
    shape,
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
      const column = i % columns;
      return keep(Math.floor(column / taps), column % taps) ? rng.normal() : 0;
    }),
  );
}

/** The graph with one of its layers in every other form that there is. */
function formsOf(graph: Graph, node: Node): Map<ColumnForm, Graph> {
  const forms = columnForms(graph, node, consumers(graph))?.forms ?? [];
  return new Map(forms.map((form) => [form.form, withForms(graph, new Map([[node.name, form]]))]));
}

const PATTERNS: Record<string, { keep: (channel: number, tap: number) => boolean; forms: ColumnForm[] }> = {
  "columns here and there": { keep: (c, t) => (5 * c + 3 * t) % 7 < 3, forms: ["gather"] },
  "the middle of the window": { keep: (_, t) => t === 4, forms: ["window"] },
  "the last row of the window": { keep: (_, t) => t > 5, forms: ["window"] },
  "a corner of some channels": { keep: (c, t) => c % 2 === 0 && t % 3 < 2 && t < 6, forms: ["window"] },
  "one tap a channel": { keep: (c, t) => c < 3 && t === (2 * c) % 5, forms: ["window", "gather"] },
};

const WINDOWS = [
  { pads: 1 },
  {},
  { pads: 1, strides: 2 },
  { pads: [2, 0, 1, 1], strides: [1, 2] },
  { pads: 2, dilations: 2 },
  { dilations: [1, 2], strides: [2, 1] },
];

test.each(Object.entries(PATTERNS))(
  "convolutions with %s: every form computes the same",
  async (_, { keep, forms }) => {
    for (const windows of WINDOWS) {
      const graph = createGraph("conv");
      const x = input(graph, "x", [2, 4, 9, 8]);
      const w = parameter(graph, "w", weights([5, 4, 3, 3], keep));
      const bias = parameter(
        graph,
        "b",
        tensor(
          "float32",
          [5],
          Float32Array.from({ length: 5 }, () => rng.normal()),
        ),
      );
      output(relu(conv(x, w, { bias, ...windows })));
      const found = formsOf(graph, graph.nodes[0]);
      expect([...found.keys()]).toEqual(forms);
      const feeds = randomFeeds(graph, rng);
      const costs = [accountModel(graph).total.macs];
      for (const form of found.values()) {
        expect(exactDifference(form, graph, feeds)).toBeLessThan(1e-12);
        expect(await runtimeDifference(form, graph, feeds)).toBeLessThan(1e-5);
        costs.push(accountModel(form).total.macs);
      }
      // In the order whole, window, gather, each multiplies less than the one before.
      expect(costs).toEqual([...new Set(costs)].sort((a, b) => b - a));
      // Control: with one used column fewer, outputs differ.
      const { data } = graph.parameters.get("w")!;
      const column = data.findIndex((v) => v !== 0);
      for (let o = 0; o < 5; o++) data[o * 36 + column] = 0;
      for (const form of found.values()) expect(exactDifference(form, graph, feeds)).toBeGreaterThan(1e-3);
    }
  },
);

test("linear layers, however they are written, read only the inputs in use", async () => {
  const graph = createGraph("linear");
  const x = input(graph, "x", [3, 8]);
  const a = gemm(
    x,
    parameter(
      graph,
      "a",
      weights([6, 8], (c) => c % 3 !== 0),
    ),
    { transB: true },
  );
  const turned = weights([6, 5], () => true);
  turned.data.fill(0, 5, 15);
  output(matmul(relu(a), parameter(graph, "m", turned)));
  for (const node of graph.nodes.filter((n) => n.op !== "Relu")) {
    const form = formsOf(graph, node).get("gather")!;
    expect(accountModel(form).total.macs).toBeLessThan(accountModel(graph).total.macs);
    expect(exactDifference(form, graph, randomFeeds(graph, rng))).toBeLessThan(1e-12);
  }
});

test("layers without dead columns, with no living ones, with groups or with shared weights stay", () => {
  const graph = createGraph("others");
  const x = input(graph, "x", [1, 4, 5, 5]);
  const full = conv(
    x,
    parameter(
      graph,
      "full",
      weights([4, 4, 3, 3], () => true),
    ),
    { pads: 1 },
  );
  const dead = conv(
    full,
    parameter(
      graph,
      "dead",
      weights([4, 4, 3, 3], () => false),
    ),
    { pads: 1 },
  );
  const grouped = parameter(
    graph,
    "grouped",
    weights([4, 2, 3, 3], (_, t) => t < 4),
  );
  const shared = parameter(
    graph,
    "shared",
    weights([4, 4, 3, 3], (_, t) => t < 4),
  );
  output(conv(conv(conv(dead, grouped, { pads: 1, group: 2 }), shared), shared));
  for (const node of graph.nodes) expect(formsOf(graph, node).size).toBe(0);
});

/** conv1 with one row of its window, conv2 with scattered columns, a linear layer with half of its inputs. */
function network() {
  const graph = createGraph("network");
  const x = input(graph, "x", [1, 3, 10, 10]);
  graph.batched.add("x");
  const a = relu(
    conv(
      x,
      parameter(
        graph,
        "conv1/weight",
        weights([6, 3, 3, 3], (_, t) => t > 5),
      ),
      { pads: 1 },
    ),
  );
  const keep = (c: number, t: number) => (c + t) % 3 === 0;
  const b = relu(conv(a, parameter(graph, "conv2/weight", weights([8, 6, 3, 3], keep)), { strides: 2 }));
  const fc = parameter(
    graph,
    "fc/weight",
    weights([4, 128], (c) => c % 2 === 0),
  );
  output(gemm(flatten(b), fc, { transB: true }));
  return graph;
}

test("the fastest form is taken, layer by layer, and the result is an ordinary ONNX file for any batch", async () => {
  const graph = network();
  const measured: number[] = [];
  const { graph: fewer, layers } = await fewerColumns(graph, 2, async (forms) => {
    measured.push(forms.length);
    expect(forms.every((f) => f.types.get(f.inputs[0])!.shape[0] === 2)).toBe(true);
    // conv1 and fc: the last form is fastest; conv2: the whole one.
    return forms.map((_, i) => (measured.length === 2 ? 1 + i : 5 - i));
  });
  expect(measured).toEqual([2, 2, 2]);
  expect(layers).toEqual([
    { layer: "conv1", columns: 27, used: 9, form: "window", why: "window 4 ms against whole 5 ms" },
    { layer: "conv2", columns: 54, used: 18, form: "whole", why: "whole 1 ms against gather 2 ms" },
    { layer: "fc", columns: 128, used: 64, form: "gather", why: "gather 4 ms against whole 5 ms" },
  ]);
  expect(fewer.parameters.get("conv1/weight")!.shape).toEqual([6, 3, 1, 3]);
  expect(fewer.parameters.get("conv2/weight")).toBe(graph.parameters.get("conv2/weight"));
  const again = importModel(exportModel(fewer));
  for (const batch of [1, 7]) {
    const [a, b] = [rebatch(again, batch), rebatch(graph, batch)];
    expect(await runtimeDifference(a, b, randomFeeds(b, rng))).toBeLessThan(1e-5);
  }
});
