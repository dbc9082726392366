import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../../src/engine/graph.ts";
import * as op from "../../../src/engine/operators/index.ts";
import type { Numeric } from "../../../src/engine/operators/operator.ts";
import { createSession } from "../../../src/engine/session.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { differenceOf } from "./runtime-check.ts";

interface Packed {
  shape: number[];
  data: number[];
}

/** Made by scripts/vectors/torch-operators.py. */
interface TorchCase {
  x: Packed[];
  y: Packed;
  dy?: Packed;
  dx?: Packed[];
}

const vectors: { torch: string; cases: Record<string, TorchCase> } = JSON.parse(
  readFileSync("test/vectors/torch-operators.json", "utf8"),
);

const vector = (graph: Graph, values: number[]) =>
  constant(graph, tensor("float32", [values.length], values));
const labels = (graph: Graph) => constant(graph, tensor("int64", [4], [3, 0, 4, 1]));

const builders: Record<string, (inputs: Value[], graph: Graph) => Value> = {
  conv: ([x, w, bias]) => op.conv(x, w, { bias }),
  "conv stride 2 pad 1": ([x, w, bias]) => op.conv(x, w, { bias, strides: 2, pads: 1 }),
  "conv dilated": ([x, w]) => op.conv(x, w, { strides: [2, 1], pads: [2, 1, 2, 1], dilations: [2, 3] }),
  "conv groups": ([x, w, bias]) => op.conv(x, w, { bias, strides: 2, pads: 1, group: 2 }),
  "conv depthwise": ([x, w, bias]) => op.conv(x, w, { bias, pads: 1, group: 4 }),
  "conv 1-D": ([x, w, bias]) => op.conv(x, w, { bias, strides: 2, pads: 1 }),
  "conv same": ([x, w]) => op.conv(x, w, { autoPad: "SAME_UPPER" }),
  transposed: ([x, w, bias]) => op.convTranspose(x, w, { bias }),
  "transposed stride 2": ([x, w, bias]) =>
    op.convTranspose(x, w, { bias, strides: 2, pads: 1, outputPadding: 1 }),
  "transposed groups": ([x, w]) =>
    op.convTranspose(x, w, { strides: 2, pads: 1, outputPadding: [0, 1], group: 2 }),
  "transposed dilated": ([x, w]) => op.convTranspose(x, w, { pads: 1, dilations: [2, 1] }),
  "transposed 1-D": ([x, w]) => op.convTranspose(x, w, { strides: 3, pads: 1, outputPadding: 2 }),
  "max pool": ([x]) => op.maxPool(x, 2),
  "max pool overlapping": ([x]) => op.maxPool(x, 3, { strides: 2, pads: 1 }),
  "max pool ceil": ([x]) => op.maxPool(x, 3, { strides: 2, ceilMode: true }),
  "max pool dilated": ([x]) => op.maxPool(x, 2, { strides: 1, dilations: [2, 3] }),
  "max pool 1-D": ([x]) => op.maxPool(x, 3, { strides: 2 }),
  "average pool": ([x]) => op.averagePool(x, 2),
  "average pool padding counts": ([x]) =>
    op.averagePool(x, 3, { strides: 2, pads: 1, countIncludePad: true }),
  "average pool padding does not": ([x]) => op.averagePool(x, 3, { strides: 2, pads: 1 }),
  "average pool ceil": ([x]) =>
    op.averagePool(x, 3, { strides: 2, pads: 1, ceilMode: true, countIncludePad: true }),
  "global average pool": ([x]) => op.globalAveragePool(x),
  "global max pool": ([x]) => op.globalMaxPool(x),
  "batch norm inference": ([x, scale, bias], graph) =>
    op.batchNorm(x, scale, bias, vector(graph, [0.1, -0.2, 0.3, 0]), vector(graph, [0.5, 1, 2, 0.7])),
  "batch norm training": ([x, scale, bias]) => op.batchNormTraining(x, scale, bias).y,
  "batch norm training rows": ([x, scale, bias]) => op.batchNormTraining(x, scale, bias, { epsilon: 0.01 }).y,
  "batch norm running statistics": ([x, m, v]) => {
    const { mean, variance } = op.batchNormTraining(x, m, v);
    const count = x.shape[0] * x.shape[2] * x.shape[3];
    return op.concat(
      [
        op.runningAverage(m, mean, 0.9),
        op.runningAverage(op.mul(v, v), op.mul(variance, count / (count - 1)), 0.9),
      ],
      0,
    );
  },
  "layer norm": ([x, scale, bias]) => op.layerNorm(x, scale, { bias }),
  "layer norm two axes": ([x, scale]) => op.layerNorm(x, scale, { axis: 1, epsilon: 0.01 }),
  "group norm": ([x, scale, bias]) => op.groupNorm(x, 2, scale, bias),
  "instance norm": ([x, scale, bias]) => op.instanceNorm(x, scale, bias),
  "local response norm": ([x]) => op.localResponseNorm(x, 5, { alpha: 0.5, beta: 0.6, bias: 2 }),
  softmax: ([x]) => op.softmax(x, 1),
  "softmax axis 0": ([x]) => op.softmax(x, 0),
  "log softmax": ([x]) => op.logSoftmax(x),
  "log softmax large": ([x]) => op.logSoftmax(op.mul(x, 300)),
  silu: ([x]) => op.silu(x),
  gelu: ([x]) => op.gelu(x),
  "gelu tanh": ([x]) => op.gelu(x, { approximate: "tanh" }),
  elu: ([x]) => op.elu(x, { alpha: 0.7 }),
  softplus: ([x]) => op.softplus(x),
  "hard swish": ([x]) => op.hardSwish(op.mul(x, 3.7)),
  erf: ([x]) => op.erf(x),
  atanh: ([x]) => op.atanh(op.mul(op.tanh(x), 0.9)),
  pow: ([x, p]) => op.pow(op.add(op.abs(x), 0.3), p),
  "matmul batched": ([a, b]) => op.matmul(a, b),
  "log sum exp": ([x]) => op.logSumExp(x, [1, 2]),
  "cross entropy": ([x], graph) => op.crossEntropy(x, labels(graph)),
  "cross entropy smoothed": ([x], graph) => op.crossEntropy(x, labels(graph), { labelSmoothing: 0.1 }),
  "cross entropy sum": ([x], graph) => op.crossEntropy(x, labels(graph), { reduction: "sum" }),
  "cross entropy none": ([x], graph) =>
    op.crossEntropy(x, labels(graph), { labelSmoothing: 0.2, reduction: "none" }),
  "soft target cross entropy": ([x, t]) => op.softTargetCrossEntropy(x, op.softmax(t)),
  mse: ([x, t]) => op.meanSquaredError(x, t),
  l1: ([x, t]) => op.absoluteError(x, t),
  huber: ([x, t]) => op.huber(x, t, { delta: 0.7 }),
  "bce with logits": ([x, t]) => op.binaryCrossEntropyWithLogits(x, op.sigmoid(t)),
  "bce with logits large": ([x, t]) =>
    op.binaryCrossEntropyWithLogits(op.mul(x, 100), op.sigmoid(t), { reduction: "sum" }),
};

const numeric = ({ shape, data }: Packed): Numeric => ({ shape, data: Float64Array.from(data) });

/** The largest disagreement with PyTorch over the value and all gradients: of `evaluate`, and of ONNX Runtime. */
async function torchErrors(
  name: string,
  build = builders[name],
): Promise<{ evaluated: number; ran: number }> {
  const { x, y, dy, dx = [] } = vectors.cases[name];
  const graph = createGraph(name);
  const inputs = x.map((t, i) => input(graph, `x${i}`, t.shape, { batched: false }));
  const result = build(inputs, graph);
  const expected = new Map([[result.name, y]]);
  output(result, { batched: false });
  if (dy) {
    const weighted = op.mul(result, constant(graph, tensor("float32", dy.shape, dy.data), "dy"));
    gradients(op.reduceSum(weighted), inputs).forEach((g, i) => {
      output(g, { batched: false });
      expected.set(g.name, dx[i]);
    });
  }
  const feeds = Object.fromEntries(x.map((t, i) => [`x${i}`, numeric(t)]));
  const evaluated = evaluate(graph, feeds);
  const session = await createSession(graph, { device: "cpu", threads: 1 });
  const ran = await session.run(
    Object.fromEntries(x.map((t, i) => [`x${i}`, tensor("float32", t.shape, t.data)])),
  );
  await session.release();
  const worst = (found: (name: string) => Numeric | (typeof ran)[string]) =>
    Math.max(...[...expected].map(([value, packed]) => differenceOf(found(value), numeric(packed))));
  return { evaluated: worst((v) => evaluated[v]), ran: worst((v) => ran[v]) };
}

test("every vector has its operator and every operator its vector", () => {
  expect(Object.keys(builders)).toEqual(Object.keys(vectors.cases));
});

// Constants of a graph (the cotangents here) are single-precision numbers even where `evaluate` computes with them.
const ROUNDED_CONSTANTS = 2e-7;

test.each(Object.keys(builders))("%s equals PyTorch", async (name) => {
  const { evaluated, ran } = await torchErrors(name);
  expect(evaluated).toBeLessThan(ROUNDED_CONSTANTS);
  expect(ran).toBeLessThan(1e-5);
});

test.each([
  ["conv stride 2 pad 1", ([x, w, bias]) => op.conv(x, w, { bias, strides: 2, pads: [0, 1, 2, 1] })],
  [
    "max pool overlapping",
    ([x]) => op.reshape(op.maxPool(op.neg(x), 3, { strides: 2, pads: 1 }), [2, 4, 4, 3]),
  ],
  ["batch norm training", ([x, scale, bias]) => op.batchNormTraining(x, scale, bias, { epsilon: 1e-3 }).y],
  ["gelu", ([x]) => op.gelu(x, { approximate: "tanh" })],
  ["cross entropy smoothed", ([x], graph) => op.crossEntropy(x, labels(graph))],
] satisfies [string, (typeof builders)[string]][])("%s with a wrong option does not", async (name, wrong) => {
  const { evaluated, ran } = await torchErrors(name, wrong);
  expect(evaluated).toBeGreaterThan(1e-5);
  expect(ran).toBeGreaterThan(1e-5);
});
