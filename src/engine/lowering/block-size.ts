import * as ort from "#onnxruntime";
import { createGraph, input, output } from "../graph.ts";
import { exportModel } from "../onnx/export.ts";
import { reorderInput } from "./nchwc.ts";

let known: Promise<number> | undefined;

/** Channels in a block of ONNX Runtime's convolution kernels on this processor; 0 where it has none. */
export function blockSize(): Promise<number> {
  return (known ??= measure());
}

async function measure(): Promise<number> {
  const channels = 64;
  const graph = createGraph("block-size");
  const blocked = reorderInput(input(graph, "x", [1, channels, 1, 2], { batched: false }));
  output(blocked, { batched: false });
  try {
    const session = await ort.InferenceSession.create(exportModel(graph), {
      executionProviders: ["cpu"],
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
    });
    const positions = Float32Array.from({ length: 2 * channels }, (_, i) => i);
    const results = await session.run({ x: new ort.Tensor("float32", positions, [1, channels, 1, 2]) });
    await session.release();
    // Channel 0, column 1 follows the first block of column 0.
    return (results[blocked.name].data as Float32Array).indexOf(1);
  } catch {
    return 0;
  }
}
