import type { Memory, MemoryReport } from "./memory.ts";
import type { Frame } from "./network.ts";

/** How a memory fills while it is watched. */
export interface LearningReport extends MemoryReport {
  /** Frames learnt since the watch began, and how many of them some mac stored. */
  seen: number;
  stored: number;
  /** Different codes of the whole memory, and of each mac in the order of a code; a silent mac has none. */
  uniqueCodes: number;
  uniqueCodesOfMacs: number[];
  /** How many frames had a familiarity in [0, 0.1), [0.1, 0.2) … [0.9, 1] when they came; held codes have none. */
  familiarity: number[];
}

export interface LearningWatch {
  /** What `learn`, `learnSequence` or `step` said. */
  add(frame: Frame): void;
  report(): LearningReport;
}

const BINS = 10;

/** Counts what a memory says while it learns. Keeps each different code once, which the memory itself does not need. */
export function watchLearning({ network: { macs, offsets }, report }: Memory): LearningWatch {
  const codes = new Set<string>();
  const codesOfMacs = macs.map(() => new Set<string>());
  const familiarity = new Array<number>(BINS).fill(0);
  let seen = 0;
  let stored = 0;
  return {
    add: (frame) => {
      seen++;
      stored += Number(frame.macs.some(({ store }) => store));
      codes.add(frame.code.join());
      for (const [m, { q }] of macs.entries())
        if (frame.macs[m].state !== "silent")
          codesOfMacs[m].add(frame.code.subarray(offsets[m], offsets[m] + q).join());
      const g = frame.familiarity;
      if (g !== undefined) familiarity[Math.min(BINS - 1, Math.floor(g * BINS))]++;
    },
    report: () => ({
      ...report(),
      seen,
      stored,
      uniqueCodes: codes.size,
      uniqueCodesOfMacs: codesOfMacs.map(({ size }) => size),
      familiarity: [...familiarity],
    }),
  };
}
