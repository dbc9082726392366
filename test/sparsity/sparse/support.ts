import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { type Shape, sizeOf, type Tensor, tensor, toNumbers } from "../../../src/engine/tensor.ts";
import type { Random } from "../../../src/random.ts";
import { sparseLayers } from "../../../src/sparsity/sparse/pieces.ts";
import type { RunnerOptions } from "../../../src/sparsity/sparse/runner.ts";
import { createRunner } from "../../../src/sparsity/sparse/runner.ts";

/** Normal numbers, each of them zero with probability 1 − density. */
export function sparseTensor(rng: Random, shape: Shape, density = 1): Tensor<"float32"> {
  const draw = () => (rng.uniform() < density ? rng.normal() : 0);
  return tensor("float32", shape, Float32Array.from({ length: sizeOf(shape) }, draw));
}

export function randomFeeds(rng: Random, graph: Graph): Record<string, Tensor> {
  return Object.fromEntries(
    graph.inputs.map((name) => [name, sparseTensor(rng, graph.types.get(name)!.shape)]),
  );
}

/** Largest difference from the graph's meaning in double precision, relative to its largest output. */
export function errorOf(
  graph: Graph,
  feeds: Record<string, Tensor>,
  found: Readonly<Record<string, Tensor>>,
): number {
  const numbers = Object.entries(feeds).map(([n, t]) => [n, { shape: t.shape, data: toNumbers(t) }]);
  const expected = evaluate(graph, Object.fromEntries(numbers));
  let worst = 0;
  let size = 1e-30;
  for (const name of graph.outputs)
    expected[name].data.forEach((v, i) => {
      const difference = Math.abs(v - Number(found[name].data[i]));
      worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
      size = Math.max(size, Math.abs(v));
    });
  return worst / size;
}

/** The error of a graph with every layer in the kernels, and whether ONNX Runtime took part. */
export async function runSparse(rng: Random, graph: Graph, options: RunnerOptions = {}) {
  const runner = await createRunner(graph, new Set(sparseLayers(graph)), { threads: 1, ...options });
  const feeds = randomFeeds(rng, graph);
  // Twice: the second run must not see what the first one left behind.
  await runner.run(randomFeeds(rng, graph));
  const error = errorOf(graph, feeds, await runner.run(feeds));
  await runner.release();
  return { error, pieces: runner.pieces.map((p) => p.kind) };
}
