import { batchesInOrder } from "../data/batches.ts";
import type { Scale, Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import { rebatch } from "../engine/replay.ts";
import { createSession } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { sampleBatch } from "../nn/sample-batch.ts";
import { Problem } from "../problem.ts";

/** Larger than any rounding of a float32 sum in another order; anything above is a wrong network. */
export const TOLERANCE = 1e-4;

/** The same as `requireSameResults`, on the first samples of a data set. */
export async function requireSameOutputs(
  original: Graph,
  changed: Graph,
  split: Split,
  scale: Scale,
): Promise<number> {
  const size = Math.min(64, split.labels.length);
  const sized = rebatch(original, size);
  const { batch, feeds } = sampleBatch(sized, split);
  batchesInOrder(split, batch, scale).next();
  const inputs = sized.inputs.map((name) => feeds[name]);
  return await requireSameResults(sized, rebatch(changed, size), inputs);
}

/**
 * Compares what a changed network makes of its inputs with what the original does: the largest difference of an output
 * relative to the largest number of that output. Throws a `Problem` above 1e-4, so that no wrong network leaves the house.
 */
export async function requireSameResults(
  original: Graph,
  changed: Graph,
  inputs: readonly Tensor[],
): Promise<number> {
  const [expected, found] = [await resultsOf(original, inputs), await resultsOf(changed, inputs)];
  const relative = Math.max(...expected.map((e, i) => relativeDifference(e, found[i])));
  if (relative <= TOLERANCE) return relative;
  throw new Problem(
    `the new network's outputs differ from those that it should have by ${relative.toExponential(1)} (at most ${TOLERANCE} is rounding); no model was written; please report this with the model`,
  );
}

/** The largest difference of a number from the expected one, relative to the largest of these; infinite where one is NaN. */
export function relativeDifference(expected: Tensor["data"], found: Tensor["data"]): number {
  let difference = 0;
  let size = Number.MIN_VALUE;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(Number(found[i]) - Number(expected[i]));
    difference = Math.max(difference, Number.isNaN(d) ? Number.POSITIVE_INFINITY : d);
    size = Math.max(size, Math.abs(Number(expected[i])));
  }
  return difference / size;
}

async function resultsOf(graph: Graph, inputs: readonly Tensor[]): Promise<Tensor["data"][]> {
  const session = await createSession(graph, { threads: 1 });
  const results = await session.run(Object.fromEntries(graph.inputs.map((name, i) => [name, inputs[i]])));
  await session.release();
  return graph.outputs.map((name) => results[name].data);
}
