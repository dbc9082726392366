import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import type { Numeric } from "../../../src/engine/operators/operator.ts";
import { createSession } from "../../../src/engine/session.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { checkGraph } from "./gradient-check.ts";

/**
 * The largest difference between what ONNX Runtime computes in single precision and what `evaluate` does in double,
 * over the value, the loss and the gradients of a case; each output is measured against its own largest element.
 */
export async function runtimeError(check: GradientCase): Promise<number> {
  const { graph, feeds } = checkGraph(check);
  return runtimeDifference(graph, feeds);
}

/** The same for any graph: all its outputs for the given feeds, which are rounded to the dtypes of the inputs first. */
export async function runtimeDifference(
  graph: Graph,
  feeds: Readonly<Record<string, Numeric>>,
): Promise<number> {
  const tensors: Record<string, Tensor> = {};
  const rounded: Record<string, Numeric> = {};
  for (const [name, { shape, data }] of Object.entries(feeds)) {
    const { dtype } = graph.types.get(name)!;
    tensors[name] = { dtype, shape, data: fromNumbers(dtype, data) };
    rounded[name] = { shape, data: toNumbers(tensors[name]) };
  }
  const session = await createSession(graph, { device: "cpu", threads: 1 });
  try {
    const found = await session.run(tensors);
    const expected = evaluate(graph, rounded);
    return Math.max(...graph.outputs.map((name) => differenceOf(found[name], expected[name])));
  } finally {
    await session.release();
  }
}

/** Largest absolute difference, relative to the largest expected magnitude; infinite where shapes or finiteness differ. */
export function differenceOf(found: Tensor | Numeric, expected: Numeric): number {
  if (found.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  let worst = 0;
  let scale = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const value = Number(found.data[i]);
    const difference = Object.is(value, expected.data[i]) ? 0 : Math.abs(value - expected.data[i]);
    worst = Number.isFinite(difference) ? Math.max(worst, difference) : Number.POSITIVE_INFINITY;
    scale = Math.max(scale, Math.abs(expected.data[i]));
  }
  return worst / (scale || 1);
}
