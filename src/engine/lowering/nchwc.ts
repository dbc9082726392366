/**
 * ONNX Runtime's convolution kernels for processors (MLAS), domain `com.microsoft.nchwc`. They work on arrays whose
 * channels lie in blocks of 8 (AVX2) or 16 (AVX-512): [n, c/block, h, w, block] in memory, while the type still says
 * [n, c, h, w]. Stock ONNX Runtime makes such nodes itself for inference with constant weights; a graph that reorders
 * the weights too may use them for training.
 */
import type { Attributes, Value } from "../graph.ts";
import type { AttributeKind, Operator } from "../operators/operator.ts";
import { apply, defineOperator, numberAttribute } from "../operators/operator.ts";
import { windowAttributeKinds, windowsOf } from "../operators/windows.ts";

function kernel(
  name: string,
  onnxName: string,
  attributes: Record<string, AttributeKind>,
  infer: Operator["infer"],
): void {
  defineOperator({
    name,
    onnxName,
    domain: "com.microsoft.nchwc",
    attributes,
    infer,
    evaluate: () => {
      throw new Error(`${name} is for ONNX Runtime only: evaluate the graph before it is lowered`);
    },
  });
}

kernel("ReorderInput", "ReorderInput", {}, ({ inputs: [x] }) => [x!]);
kernel("ReorderOutput", "ReorderOutput", { channels: "int" }, ({ inputs: [x], attributes }) => {
  const [n, c, ...spatial] = x!.shape;
  return [{ dtype: x!.dtype, shape: [n, numberAttribute(attributes, "channels", c), ...spatial] }];
});
kernel(
  "BlockedConv",
  "Conv",
  { ...windowAttributeKinds, group: "int", activation: "string", activation_params: "floats" },
  ({ inputs: [x, w], attributes }) => {
    const { output } = windowsOf(attributes, x!.shape.slice(2), w!.shape.slice(2));
    return [{ dtype: x!.dtype, shape: [x!.shape[0], w!.shape[0], ...output] }];
  },
);
kernel(
  "BlockedMaxPool",
  "MaxPool",
  { ...windowAttributeKinds, ceil_mode: "int", storage_order: "int" },
  ({ inputs: [x], attributes }) => {
    const { output } = windowsOf(attributes, x!.shape.slice(2), attributes.kernel_shape as number[]);
    return [{ dtype: x!.dtype, shape: [...x!.shape.slice(0, 2), ...output] }];
  },
);
kernel("BlockedGlobalAveragePool", "GlobalAveragePool", {}, ({ inputs: [x] }) => [
  { dtype: x!.dtype, shape: [...x!.shape.slice(0, 2), 1, 1] },
]);

/** [n, c, h, w] into blocks; c is a multiple of the block. */
export function reorderInput(x: Value): Value {
  return apply(x.graph, "ReorderInput", [x])[0];
}

/** Blocks back to [n, channels, h, w]; channels beyond that many are dropped. */
export function reorderOutput(x: Value, channels: number): Value {
  return apply(x.graph, "ReorderOutput", [x], { channels })[0];
}

export interface BlockedConvOptions {
  bias?: Value;
  /** Added to the result, in its layout. */
  sum?: Value;
  pads?: readonly number[];
  strides?: readonly number[];
  dilations?: readonly number[];
  group?: number;
  activation?: { name: string; parameters?: readonly number[] };
}

/** Convolution of blocked x (or of plain x with fewer channels than a block) with blocked weights: see `blockedWeights`. */
export function blockedConv(
  x: Value,
  w: Value,
  { bias, sum, activation, ...windows }: BlockedConvOptions = {},
): Value {
  const inputs = [x, w, bias, sum];
  while (!inputs.at(-1)) inputs.pop();
  return apply(x.graph, "BlockedConv", inputs, {
    kernel_shape: w.shape.slice(2),
    ...(Object.fromEntries(Object.entries(windows).filter(([, v]) => v !== undefined)) as Attributes),
    ...(activation && { activation: activation.name }),
    ...(activation?.parameters && { activation_params: activation.parameters }),
  })[0];
}

export function blockedMaxPool(x: Value, attributes: Attributes): Value {
  return apply(x.graph, "BlockedMaxPool", [x], attributes)[0];
}

/** The mean of each channel: blocked [n, c, h, w] → [n, c, 1, 1], whose memory is the same in both layouts. */
export function blockedChannelMeans(x: Value): Value {
  return apply(x.graph, "BlockedGlobalAveragePool", [x])[0];
}
