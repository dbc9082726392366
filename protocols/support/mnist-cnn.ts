import { readFile } from "node:fs/promises";
import { readSafetensors } from "../../src/data/safetensors.ts";
import type { Graph, Value } from "../../src/engine/graph.ts";
import { constant, createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { batchNorm, conv, flatten, gemm, maxPool, relu } from "../../src/engine/operators/index.ts";
import type { Tensor } from "../../src/engine/tensor.ts";

/**
 * The network behind mnist_cnn.safetensors, which holds weights alone: two blocks of (conv, ReLU) × 2, batch norm, max
 * pool 2, then one linear layer; no padding; pixels from 0 to 255.
 */
export async function mnistCnn(path: string): Promise<Graph> {
  const { tensors } = readSafetensors(await readFile(path));
  const graph = createGraph("mnist-cnn");
  const get = (name: string) => tensors.get(`layers.${name}`) as Tensor<"float32">;
  const weight = (name: string) => parameter(graph, `layers.${name}`, get(name));
  const convRelu = (x: Value, layer: number) =>
    relu(conv(x, weight(`${layer}.weight`), { bias: weight(`${layer}.bias`) }));
  const block = (x: Value, [first, second, norm]: [number, number, number]) => {
    const statistic = (name: string) => constant(graph, get(`${norm}.${name}`), `layers.${norm}.${name}`);
    const y = convRelu(convRelu(x, first), second);
    return maxPool(
      batchNorm(
        y,
        weight(`${norm}.weight`),
        weight(`${norm}.bias`),
        statistic("running_mean"),
        statistic("running_var"),
      ),
      2,
    );
  };
  const x = input(graph, "input", [1, 1, 28, 28]);
  const features = flatten(block(block(x, [0, 2, 4]), [6, 8, 10]));
  output(gemm(features, weight("13.weight"), { c: weight("13.bias"), transB: true }));
  return graph;
}
