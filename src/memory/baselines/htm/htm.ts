import { strongestInputs } from "../../decode.ts";
import type { PatternMemory } from "../pattern-memory.ts";
import type { SequenceMemory } from "../sequence-memory.ts";
import { createSpatialPooler, type SpatialPoolerOptions } from "./spatial-pooler.ts";
import { createTemporalMemory, type TemporalMemoryOptions } from "./temporal-memory.ts";

/** The spatial pooler as a memory of patterns: each call of `learn` is one presentation. */
export function createPoolerMemory(inputs: number, options: SpatialPoolerOptions = {}): PatternMemory {
  const pooler = createSpatialPooler(inputs, options);
  return {
    learn: (pattern) => {
      pooler.compute(pattern, true);
    },
    recognize: (cue, size) => strongestInputs(pooler.expectedInputs(pooler.compute(cue, false)), size),
  };
}

export interface HtmOptions {
  pooler?: SpatialPoolerOptions;
  temporal?: Omit<TemporalMemoryOptions, "columns">;
}

/** Spatial pooler and temporal memory, both learning at once: hierarchical temporal memory of one region. */
export function createHtmMemory(
  inputs: number,
  { pooler: ofPooler, temporal }: HtmOptions = {},
): SequenceMemory {
  const pooler = createSpatialPooler(inputs, ofPooler);
  const memory = createTemporalMemory({ columns: pooler.columns, ...temporal });
  const step = (frame: ArrayLike<number>, learn: boolean) =>
    memory.compute(pooler.compute(frame, learn), learn);
  return {
    learnSequence: (frames) => {
      memory.reset();
      for (const frame of frames) step(frame, true);
    },
    predict: (frames, size) => {
      memory.reset();
      return frames.map((frame) => {
        step(frame, false);
        const columns = memory.predictedColumns();
        return columns.length > 0 ? strongestInputs(pooler.expectedInputs(columns), size) : [];
      });
    },
  };
}
