import type { Graph } from "../engine/graph.ts";
import { rebatch } from "../engine/replay.ts";
import type { Session, SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import { sampleInputs } from "./sample-inputs.ts";

export interface LatencyOptions extends SessionOptions {
  /** Samples in one run of the model. */
  batch: number;
  /** Interleaved runs of each model, at least. Default 50. */
  runs?: number;
  /** Go on until each model has run for this long, in milliseconds. Default 300. */
  atLeast?: number;
}

/** A model, or one with its own way to be run. */
export type LatencyModel =
  | Graph
  | { graph: Graph; open: (sized: Graph) => Promise<Pick<Session, "run" | "release">> };

/**
 * Median time of one run of each model, in milliseconds, in the order given. The models take turns, so that whatever
 * else the machine does falls on all of them alike; compare the figures of one call with each other only.
 */
export async function measureLatency(
  models: readonly LatencyModel[],
  { batch, runs = 50, atLeast = 300, ...options }: LatencyOptions,
): Promise<number[]> {
  const sessions = await Promise.all(
    models.map(async (model) => {
      const { graph: given, open } =
        "open" in model ? model : { graph: model, open: (sized: Graph) => createSession(sized, options) };
      const graph = rebatch(given, batch);
      const feeds = sampleInputs(graph);
      return { session: await open(graph), feeds, times: [] as number[] };
    }),
  );
  const warm = 5;
  let spent = 0;
  for (let turn = 0; turn < runs + warm || spent < atLeast * models.length; turn++)
    for (const { session, feeds, times } of sessions) {
      const start = performance.now();
      await session.run(feeds);
      const time = performance.now() - start;
      if (turn < warm) continue;
      times.push(time);
      spent += time;
    }
  for (const { session } of sessions) await session.release();
  return sessions.map(({ times }) => median(times));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
