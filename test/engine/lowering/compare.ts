import type { Graph } from "../../../src/engine/graph.ts";
import { blockSize } from "../../../src/engine/lowering/block-size.ts";
import { lowerBlocked } from "../../../src/engine/lowering/blocked.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { openSession, toRuntime } from "../../../src/engine/runtime.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";

/** Block size here; tests of the blocked lowering are skipped where the processor has none. */
export const block = await blockSize();

export type Arrays = Record<string, Float32Array>;

/** Runs a graph as it is: no lowering but the plain one. */
export async function runPlain(graph: Graph, feeds: Record<string, Tensor>, threads = 1): Promise<Arrays> {
  const session = await openSession(exportModel(graph), { device: "cpu", threads });
  try {
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toRuntime(t)]));
    const results = await session.run(inputs);
    return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, t.data as Float32Array]));
  } finally {
    await session.release();
  }
}

export function runBlocked(graph: Graph, feeds: Record<string, Tensor>, threads = 1): Promise<Arrays> {
  return runPlain(lowerBlocked(graph, block), feeds, threads);
}

/** The largest difference of any output, relative to the largest magnitude in that output. */
export function worstDifference(
  found: Arrays,
  expected: Readonly<Record<string, ArrayLike<number>>>,
): number {
  let worst = 0;
  for (const [name, e] of Object.entries(expected)) {
    const f = found[name];
    if (f.length !== e.length) return Number.POSITIVE_INFINITY;
    let scale = 0;
    let difference = 0;
    for (let i = 0; i < e.length; i++) {
      scale = Math.max(scale, Math.abs(e[i]));
      const d = Math.abs(f[i] - e[i]);
      difference = Number.isFinite(d) ? Math.max(difference, d) : Number.POSITIVE_INFINITY;
    }
    worst = Math.max(worst, difference / (scale || 1));
  }
  return worst;
}

export function normals(shape: readonly number[], seed: number): Tensor<"float32"> {
  const rng = random(seed);
  const length = shape.reduce((a, b) => a * b, 1);
  return { dtype: "float32", shape, data: Float32Array.from({ length }, () => rng.normal()) };
}
