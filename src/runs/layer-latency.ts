import type { Graph, Node } from "../engine/graph.ts";
import { createGraph, initializer, input, output } from "../engine/graph.ts";
import { apply } from "../engine/operators/operator.ts";
import { rebatch } from "../engine/replay.ts";
import { accountModel } from "../sparsity/accounting.ts";
import { storePadding } from "../sparsity/align.ts";
import { layerName } from "../sparsity/layers.ts";
import { timeLayer } from "../sparsity/sparse/choose.ts";
import { pieceGraph, sparseLayers } from "../sparsity/sparse/pieces.ts";
import { measureLatency } from "./latency.ts";

/**
 * Milliseconds that each graph takes in ONNX Runtime on one thread, without what an empty run takes. They take turns. The
 * graphs are of a fixed size.
 */
export async function timesAlone(graphs: readonly Graph[]): Promise<number[]> {
  const empty = createGraph("empty");
  const [result] = apply(empty, "Identity", [input(empty, "x", [1], { batched: false })], {}, { name: "y" });
  output(result, { batched: false });
  const [overhead, ...times] = await measureLatency([empty, ...graphs], {
    batch: 1,
    threads: 1,
    runs: 9,
    atLeast: 4,
  });
  return times.map((t) => Math.max(0, t - overhead));
}

/**
 * Milliseconds of every layer of `accountModel`, in its order, each alone in ONNX Runtime on one thread. Alone, layers are
 * slower or faster than in the network, which joins some of them: the sum is not what the network takes.
 */
export async function measureLayers(graph: Graph, batch: number): Promise<number[]> {
  const sized = rebatch(graph, batch);
  const nodes = new Map(sized.nodes.map((node) => [node.name, node]));
  return await timesAlone(accountModel(sized).layers.map(({ node }) => alone(sized, nodes.get(node)!)));
}

function alone(graph: Graph, node: Node): Graph {
  const inputs = new Set(node.inputs.filter((name) => name !== "" && !initializer(graph, name)));
  const outputs = node.outputs.filter((name) => name !== "");
  return pieceGraph(graph, { kind: "dense", nodes: [node], inputs: [...inputs], outputs });
}

/** Milliseconds of a layer alone on one thread: by ONNX Runtime, and by the kernels that skip zeros. */
export interface LayerLatency {
  dense: number;
  sparse: number;
}

/** By name, the latencies of the layers that have sparse kernels. */
export async function measureSparseLayers(graph: Graph, batch: number): Promise<Map<string, LayerLatency>> {
  const sized = storePadding(rebatch(graph, batch));
  const times = new Map<string, LayerLatency>();
  for (const node of sparseLayers(sized))
    times.set(layerName(sized, node), await timeLayer(sized, node, { threads: 1, kernelThreads: 1 }));
  return times;
}
