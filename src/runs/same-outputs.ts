import { allocateBatch, batchesInOrder } from "../data/batches.ts";
import type { Scale, Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import { rebatch } from "../engine/replay.ts";
import { createSession } from "../engine/session.ts";
import { Problem } from "../problem.ts";

/** Larger than any rounding of a float32 sum in another order; anything above is a wrong network. */
const TOLERANCE = 1e-4;

/**
 * Compares what a changed network makes of the first samples with what the original does: the largest difference of an
 * output relative to the largest output. Throws a `Problem` above 1e-4, so that no wrong network leaves the house.
 */
export async function requireSameOutputs(
  original: Graph,
  changed: Graph,
  split: Split,
  scale: Scale,
): Promise<number> {
  const [expected, found] = [
    await firstOutputs(original, split, scale),
    await firstOutputs(changed, split, scale),
  ];
  let difference = 0;
  let size = Number.MIN_VALUE;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(found[i] - expected[i]);
    difference = Math.max(difference, Number.isNaN(d) ? Number.POSITIVE_INFINITY : d);
    size = Math.max(size, Math.abs(expected[i]));
  }
  const relative = difference / size;
  if (relative <= TOLERANCE) return relative;
  throw new Problem(
    `the shrunk network's outputs differ from the unshrunk one's by ${relative.toExponential(1)} (at most ${TOLERANCE} is rounding); no model was written; please report this with the model`,
  );
}

async function firstOutputs(model: Graph, split: Split, scale: Scale): Promise<Float32Array> {
  const size = Math.min(64, split.labels.length);
  const graph = rebatch(model, size);
  const batch = allocateBatch(size, split.inputs.shape.slice(1), "int32");
  const session = await createSession(graph, { threads: 1 });
  batchesInOrder(split, batch, scale).next();
  const results = await session.run({ [graph.inputs[0]]: batch.inputs });
  await session.release();
  return results[graph.outputs[0]].data as Float32Array;
}
