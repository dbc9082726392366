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
import { fromResults, IN_NODE, openSession, toRuntime } from "./runtime.ts";
import { sameShape } from "./shapes.ts";
import type { Tensor } from "./tensor.ts";

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
      checkFeeds(graph, feeds, parameters);
      const inputs = { ...parameters };
      for (const name in feeds) inputs[name] = toRuntime(feeds[name]);
      if (!fetches) return fromResults(await session.run(inputs));
      if (IN_NODE) {
        const targets: Record<string, ReturnType<typeof toRuntime>> = {};
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

/**
 * Throws a `Problem` where a graph is fed something else than its inputs, in their types and shapes, or `others`. How many
 * samples a batch has is the runtime's to judge: the file leaves it open.
 */
function checkFeeds(
  { inputs, types, batched }: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  others: Readonly<Record<string, unknown>>,
): void {
  for (const name of inputs) {
    const [given, { dtype, shape }] = [feeds[name], types.get(name)!];
    if (!given) throw new Problem(`input "${name}" is not fed: it takes ${dtype} [${shape}]`);
    const from = Number(batched.has(name));
    if (given.dtype !== dtype || !sameShape(given.shape.slice(from), shape.slice(from)))
      throw new Problem(
        `input "${name}" takes ${dtype} [${shape}], but is fed ${given.dtype} [${given.shape}]`,
      );
  }
  for (const name in feeds)
    if (!inputs.includes(name) && !Object.hasOwn(others, name))
      throw new Problem(`there is no input "${name}" to feed; there is ${inputs.join(", ")}`);
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
