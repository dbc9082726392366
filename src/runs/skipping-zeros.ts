import type { Graph } from "../engine/graph.ts";
import { rebatch } from "../engine/replay.ts";
import type { Session } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import type { SparseSession, SparseSessionOptions } from "../sparsity/sparse/session.ts";
import { createSparseSession } from "../sparsity/sparse/session.ts";
import { relativeDifference, TOLERANCE } from "./same-outputs.ts";
import { sampleInputs } from "./sample-inputs.ts";

/** A network whose zeros are skipped, after a comparison with ONNX Runtime. */
export interface SkippingSession extends SparseSession {
  /** Largest difference of an output between the two, relative to the largest number of that output. */
  readonly outputError: number;
}

/**
 * `createSparseSession` for a network that has been compared with itself in ONNX Runtime on a batch of random inputs.
 * Throws a `Problem` where outputs differ by more than 1e-4.
 */
export async function openSkippingZeros(
  graph: Graph,
  options: Pick<SparseSessionOptions, "batch" | "threads">,
): Promise<SkippingSession> {
  const sized = rebatch(graph, options.batch);
  const feeds = sampleInputs(sized);
  const skipping = await createSparseSession(sized, options);
  const dense = await createSession(sized, { threads: 1 });
  try {
    return { ...skipping, outputError: await compareRuns(dense, skipping, feeds) };
  } catch (error) {
    await skipping.release();
    throw error;
  } finally {
    await dense.release();
  }
}

/** The largest relative difference of an output of two sessions. Throws a `Problem` above 1e-4. */
export async function compareRuns(
  dense: Pick<Session, "run">,
  skipping: Pick<Session, "run">,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<number> {
  const [expected, found] = [await dense.run(feeds), await skipping.run(feeds)];
  const differences = Object.entries(expected).map(([name, t]) =>
    relativeDifference(t.data, found[name].data),
  );
  const relative = Math.max(...differences);
  if (relative <= TOLERANCE) return relative;
  throw new Problem(
    `with its zeros skipped the network's outputs differ by ${relative.toExponential(1)} (at most ${TOLERANCE} is rounding); please report this with the model`,
  );
}
