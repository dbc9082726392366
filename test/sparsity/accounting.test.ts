import { describe, expect, it } from "vitest";
import type { Graph, Value } from "../../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { add, conv, flatten, gemm, matmul, maxPool, relu } from "../../src/engine/operators/index.ts";
import { apply } from "../../src/engine/operators/operator.ts";
import { rebatch } from "../../src/engine/replay.ts";
import type { Shape } from "../../src/engine/tensor.ts";
import { tensor, zeros } from "../../src/engine/tensor.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";

function ones(graph: Graph, name: string, shape: Shape): Value {
  const t = zeros(shape);
  t.data.fill(1);
  return parameter(graph, name, t);
}

function convLayer(x: Value, name: string, out: number, kernel: number, pads = 0): Value {
  const { graph } = x;
  const bias = ones(graph, `${name}.bias`, [out]);
  return conv(x, ones(graph, `${name}.weight`, [out, x.shape[1], kernel, kernel]), { bias, pads });
}

function linear(x: Value, name: string, out: number): Value {
  const { graph } = x;
  const c = ones(graph, `${name}.bias`, [out]);
  return gemm(x, ones(graph, `${name}.weight`, [out, x.shape[1]]), { c, transB: true });
}

/** conv5 20 – pool – conv5 50 – pool – fc 500 – ReLU – fc 10 on 28×28. */
function lenet(batch: number): Graph {
  const graph = createGraph("lenet");
  let x = maxPool(convLayer(input(graph, "x", [batch, 1, 28, 28]), "conv1", 20, 5), 2);
  x = flatten(maxPool(convLayer(x, "conv2", 50, 5), 2));
  output(linear(relu(linear(x, "fc1", 500)), "fc2", 10));
  return graph;
}

/** The glyph CNN of wgsef.md P3. */
function glyphCnn([a, b, c]: number[]): Graph {
  const graph = createGraph("glyphs");
  let x = maxPool(relu(convLayer(input(graph, "x", [1, 1, 16, 16]), "conv1", a, 3, 1)), 2);
  x = maxPool(relu(convLayer(x, "conv2", b, 3, 1)), 2);
  output(linear(relu(linear(flatten(x), "fc1", c)), "fc2", 10));
  return graph;
}

// Counts of wgsef.md sections 4 and 6 (P3), made with PyTorch layers.
describe("known models", () => {
  it.each([1, 7])("LeNet, batch %i", (batch) => {
    const { total } = accountModel(lenet(batch));
    expect(total).toEqual({ parameters: 431080, nonZeros: 431080, macs: 2293000, bytes: 431080 * 4 });
  });

  it("counts a sample also after the batch has changed", () => {
    expect(accountModel(rebatch(lenet(1), 5)).total.macs).toBe(2293000);
  });

  it("the glyph CNN, dense and with 6, 10, 20 channels", () => {
    const dense = accountModel(glyphCnn([16, 32, 64])).total;
    expect([dense.parameters, dense.macs]).toEqual([38282, 365184]);
    const pruned = accountModel(glyphCnn([6, 10, 20])).total;
    expect([pruned.parameters, pruned.macs]).toEqual([4040, 51784]);
  });
});

describe("layers", () => {
  it("are named after their weights and add up", () => {
    const { layers, total } = accountModel(lenet(2));
    expect(layers.map((l) => [l.name, l.op, l.outputShape, l.parameters, l.macs])).toEqual([
      ["conv1", "Conv", [2, 20, 24, 24], 520, 288000],
      ["conv2", "Conv", [2, 50, 8, 8], 25050, 1600000],
      ["fc1", "Gemm", [2, 500], 400500, 400000],
      ["fc2", "Gemm", [2, 10], 5010, 5000],
    ]);
    for (const key of ["parameters", "nonZeros", "bytes"] as const)
      expect(layers.reduce((sum, l) => sum + l[key], 0)).toBe(total[key]);
  });

  it("count exact zeros only", () => {
    const graph = lenet(1);
    graph.parameters.get("fc2.weight")!.data.fill(0, 0, 1000);
    graph.parameters.get("fc2.weight")!.data[2000] = 1e-30;
    expect(accountModel(graph).layers.at(-1)!.nonZeros).toBe(5010 - 1000);
  });

  it("grouped and transposed convolutions, the MatMul spelling, Einsum, a weight read twice", () => {
    const graph = createGraph("mixed");
    const x = input(graph, "x", [2, 4, 6, 6]);
    const grouped = conv(x, ones(graph, "g.weight", [8, 2, 3, 3]), { group: 2 });
    const up = apply(graph, "ConvTranspose", [grouped, ones(graph, "u.weight", [8, 3, 2, 2])], {
      strides: [2, 2],
    })[0];
    const w = ones(graph, "m.weight", [8, 8]);
    const product = add(matmul(up, w), matmul(up, w));
    const e = apply(graph, "Einsum", [product, ones(graph, "e.weight", [8, 5])], {
      equation: "bchw,wo->bcho",
    })[0];
    const first = apply(graph, "Einsum", [e, ones(graph, "f.weight", [5, 2])], {
      equation: "...o,op->...p",
    })[0];
    output(first);
    const { layers } = accountModel(graph);
    expect(layers.map((l) => [l.name, l.parameters, l.macs])).toEqual([
      // By hand: outputs × taps of one group; inputs × outputs × taps; rows × inner × columns.
      ["g", 144, 8 * 16 * 2 * 9],
      ["u", 96, 8 * 16 * 3 * 4],
      ["m", 64, 3 * 8 * 8 * 8],
      ["m", 0, 3 * 8 * 8 * 8],
      ["e", 40, 3 * 8 * 8 * 5],
      ["f", 10, 3 * 8 * 5 * 2],
    ]);
  });

  it("counts frozen statistics as bytes but not as parameters", () => {
    const graph = createGraph("norm");
    const x = input(graph, "x", [1, 3, 2, 2]);
    graph.constants.set("mean", tensor("float32", [3], [0, 0, 0]));
    graph.types.set("mean", { dtype: "float32", shape: [3] });
    const mean = { graph, name: "mean", dtype: "float32" as const, shape: [3] };
    output(
      apply(graph, "BatchNormalization", [x, ones(graph, "s", [3]), ones(graph, "b", [3]), mean, mean])[0],
    );
    expect(accountModel(graph).total).toEqual({ parameters: 6, nonZeros: 6, macs: 0, bytes: 36 });
  });
});
