import * as ort from "#onnxruntime";
import { Problem } from "../problem.ts";
import type { Graph } from "./graph.ts";
import { blockSize } from "./lowering/block-size.ts";
import { lowerBlocked, trainsConvolutions } from "./lowering/blocked.ts";
import { broadcastInPlace } from "./lowering/broadcast.ts";
import { shareGelu } from "./lowering/gelu.ts";
import { lowerWithoutPoolIndices } from "./lowering/pooling-without-indices.ts";
import { scatterIntoSums } from "./lowering/scatter-sum.ts";
import { sumOnOneThread } from "./lowering/single-thread.ts";
import { maskRelu } from "./lowering/step-mask.ts";
import { exportModel } from "./onnx/export.ts";
import type { DType, Tensor } from "./tensor.ts";

export type Device = "cpu" | "webgpu" | "cuda" | "wasm";

export interface SessionOptions {
  /** Where it runs. In Node.js `cpu` (default), `webgpu`, or `cuda` where its libraries are installed; in a browser `wasm` or `webgpu`. */
  device?: Device;
  /** Threads of one operator (CPU); 0 (default) lets ONNX Runtime take the cores there are. */
  threads?: number;
  /**
   * Feed the parameters on every run instead of storing them in the session: for training, where they change. ONNX
   * Runtime reads them straight from their arrays.
   */
  feedParameters?: boolean;
}

/**
 * onnxruntime-node fills the arrays of given outputs itself; onnxruntime-web ignores them and hands them back unwritten.
 * It alone can set denormals to zero.
 */
const IN_NODE = ort.env.versions.node !== undefined;

/** A compiled graph. `run` gives the outputs by name; with `fetches` it writes them into those tensors' own arrays. */
export interface Session {
  run(
    feeds: Readonly<Record<string, Tensor>>,
    fetches?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** Compiles a graph with ONNX Runtime. Throws a `Problem` that names the device where it is not to be had. */
export async function createSession(graph: Graph, options: SessionOptions = {}): Promise<Session> {
  const { feedParameters = false } = options;
  const compiled = await lowerFor(options, feedParameters ? shareGelu(graph) : graph);
  const session = await openSession(exportModel(compiled, { parametersAsInputs: feedParameters }), options);
  const parameters = feedParameters
    ? Object.fromEntries([...graph.parameters].map(([name, t]) => [name, toRuntime(t)]))
    : {};
  return {
    run: async (feeds, fetches) => {
      const inputs = { ...parameters };
      for (const name in feeds) inputs[name] = toRuntime(feeds[name]);
      if (!fetches) return fromResults(await session.run(inputs));
      if (IN_NODE) {
        const targets: Record<string, ort.Tensor> = {};
        for (const name in fetches) targets[name] = toRuntime(fetches[name]);
        await session.run(inputs, targets);
      } else {
        const results = await session.run(inputs, Object.keys(fetches));
        for (const name in fetches) fetches[name].data.set(results[name].data as never);
      }
      return { ...fetches };
    },
    release: () => session.release(),
  };
}

/** The graph in the operators that serve the device best. */
async function lowerFor({ device, threads }: SessionOptions, graph: Graph): Promise<Graph> {
  if (device === "webgpu" || device === "cuda") return lowerWithoutPoolIndices(graph);
  const native = IN_NODE && device !== "wasm";
  const summed = native && threads === 1 ? sumOnOneThread(graph) : graph;
  const block = native && trainsConvolutions(graph) ? await blockSize() : 0;
  if (block > 0) return lowerBlocked(summed, block);
  const lean = scatterIntoSums(broadcastInPlace(summed));
  return native ? maskRelu(lean) : lean;
}

/** Opens the bytes of any .onnx model. The model keeps whatever opset and dimensions it was written with. */
export async function openSession(
  model: Uint8Array,
  { device, threads = 0 }: SessionOptions = {},
): Promise<ort.InferenceSession> {
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

function fromResults(results: ort.InferenceSession.OnnxValueMapType): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(results)) {
    const t = value as ort.Tensor;
    tensors[name] = { dtype: t.type as DType, shape: t.dims, data: t.data as Float32Array };
  }
  return tensors;
}
