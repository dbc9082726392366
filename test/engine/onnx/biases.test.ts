import { expect, test } from "vitest";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { findBiases } from "../../../src/engine/onnx/biases.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { add, conv, flatten, gemm, matmul, mul, pad } from "../../../src/engine/operators/index.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";

test("biases of Conv, Gemm and MatMul with an Add on either side, and of nothing else", () => {
  const graph = createGraph("net");
  const weights = (name: string, shape: number[]) =>
    parameter(graph, name, tensor("float32", shape, new Float32Array(sizeOf(shape)).fill(1)));
  const x = input(graph, "x", [1, 1, 4, 4]);
  const a = conv(x, weights("conv.weight", [2, 1, 3, 3]), { bias: weights("conv.bias", [2]) });
  const b = gemm(flatten(a), weights("fc.weight", [8, 4]), { c: weights("fc.bias", [4]) });
  const c = add(matmul(b, weights("one.weight", [4, 4])), weights("one.bias", [4]));
  const d = add(weights("two.bias", [4]), matmul(c, weights("two.weight", [4, 4])));
  output(add(mul(d, weights("scale", [4])), weights("shift", [4])));
  expect(Object.fromEntries(findBiases(exportModel(graph)))).toEqual({
    "conv.bias": "conv.weight",
    "fc.bias": "fc.weight",
    "one.bias": "one.weight",
    "two.bias": "two.weight",
  });
});

test("weights and biases that a file fills up with zeros are found under the names they are stored by", () => {
  const graph = createGraph("net");
  const weights = (name: string, shape: number[]) =>
    parameter(graph, name, tensor("float32", shape, new Float32Array(sizeOf(shape)).fill(1)));
  const kernel = pad(weights("conv.weight", [2, 1, 3, 3]), [0, 0, 0, 0], [6, 0, 0, 0]);
  const bias = pad(weights("conv.bias", [2]), [0], [6]);
  output(conv(input(graph, "x", [1, 1, 4, 4]), kernel, { bias }));
  expect(Object.fromEntries(findBiases(exportModel(graph)))).toEqual({ "conv.bias": "conv.weight" });
});
