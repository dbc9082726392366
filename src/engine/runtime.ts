import * as ort from "#onnxruntime";
import { Problem } from "../problem.ts";
import type { SessionOptions } from "./session.ts";
import type { DType, Tensor } from "./tensor.ts";

// ONNX Runtime's own types stay in this file: they are not those of every way to resolve modules.

/**
 * onnxruntime-node fills the arrays of given outputs itself; onnxruntime-web ignores them and hands them back unwritten.
 * It alone can set denormals to zero.
 */
export const IN_NODE = ort.env.versions.node !== undefined;

/** Opens the bytes of any .onnx model. The model keeps whatever opset and dimensions it was written with. */
export async function openSession(
  model: Uint8Array,
  { device, threads = 0 }: SessionOptions = {},
): Promise<ort.InferenceSession> {
  // What it would write about a missing device is in the error. A program that has set another level keeps it.
  if (IN_NODE && ort.env.logLevel === "warning") ort.env.logLevel = "fatal";
  try {
    return await ort.InferenceSession.create(model, {
      ...(device && { executionProviders: [device] }),
      ...(threads > 0 && { intraOpNumThreads: threads, interOpNumThreads: 1 }),
      logSeverityLevel: 3,
      // Adam's second moments decay into denormals late in training, which are many times slower on most processors.
      extra: { session: { set_denormal_as_zero: "1" } },
    });
  } catch (error) {
    const reason = String((error as Error).message).split("\n")[0];
    if (device && device !== "cpu" && /backend|provider|not available|adapter|device/i.test(reason))
      throw new Problem(
        `device "${device}" is not available here: ${reason}; take ${IN_NODE ? '"cpu", on the command line --device cpu' : '"wasm"'}`,
      );
    throw new Problem(`ONNX Runtime refuses the model: ${reason}`);
  }
}

const runtimeTensors = new WeakMap<Tensor, ort.Tensor>();

/** The runtime's view of a tensor: the same array, made once. */
export function toRuntime(t: Tensor): ort.Tensor {
  let known = runtimeTensors.get(t);
  if (!known) {
    known = new ort.Tensor(t.dtype as "float32", t.data as Float32Array, t.shape);
    runtimeTensors.set(t, known);
  }
  return known;
}

export function fromResults(results: ort.InferenceSession.OnnxValueMapType): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(results)) {
    const t = value as ort.Tensor;
    tensors[name] = { dtype: t.type as DType, shape: t.dims, data: t.data as Float32Array };
  }
  return tensors;
}
