/** sparsey.md P8: capacity for sequences, replay, order, time warp, competing hypotheses, hierarchies; controls beside them. */

import { writeResults } from "./support/results.ts";
import { measureAll, SEEDS } from "./support/sparsey/seeds.ts";
import {
  competingHypotheses,
  hierarchy,
  orderClassification,
  orderNovelty,
  replay,
  sequenceCapacity,
  timeWarp,
} from "./support/sparsey/sequences.ts";

const OFF = { useHorizontal: false } as const;
const ALONE = { useHorizontal: false, useTopDown: false } as const;
const BACKOFF = [0.96, 0.93, 0.9] as const;
const figures = measureAll(SEEDS, {
  "capacity, 16 sequences": (seed) => sequenceCapacity(seed, { preset: "capacity", k: 16, sequences: 16 }),
  "robust, 16 sequences": (seed) => sequenceCapacity(seed, { preset: "robust", k: 16, sequences: 16 }),
  "robust, 24 sequences": (seed) => sequenceCapacity(seed, { preset: "robust", k: 16, sequences: 24 }),
  "classic, 16 sequences": (seed) => sequenceCapacity(seed, { preset: "classic", k: 16, sequences: 16 }),
  "replay F1 by number of sequences": (seed) =>
    Object.fromEntries([1, 4, 8, 12, 16].map((sequences) => [sequences, replay(seed, { sequences })])),
  "replay F1 control: H off": (seed) => replay(seed, { sequences: 8, rules: OFF }),
  "order classification": (seed) => orderClassification(seed, { preset: "robust" }),
  "order classification, 2 of 12 moved": (seed) => orderClassification(seed, { preset: "robust", moved: 2 }),
  "order classification control: H off": (seed) =>
    orderClassification(seed, { preset: "robust", rules: OFF }),
  "order novelty": (seed) => orderNovelty(seed).order,
  "order novelty control: H off": (seed) => orderNovelty(seed, OFF).order,
  "order novelty control: familiarity after back-off": (seed) =>
    orderNovelty(seed, { backoff: BACKOFF }).used,
  "time warp, back-off": (seed) => timeWarp(seed, BACKOFF),
  "time warp control: no back-off": (seed) => timeWarp(seed, null),
  "competing hypotheses": (seed) => competingHypotheses(seed, 1),
  "competing hypotheses control: not compensated": (seed) => competingHypotheses(seed, 0),
  "hierarchy classic": (seed) => hierarchy(seed, { preset: "classic" }),
  "hierarchy classic, no D": (seed) => hierarchy(seed, { preset: "classic", rules: { useTopDown: false } }),
  "hierarchy classic control: no H, no D": (seed) => hierarchy(seed, { preset: "classic", rules: ALONE }),
  "hierarchy robust, 4 pixels moved": (seed) => hierarchy(seed, { preset: "robust", moved: 4 }),
  "hierarchy robust control: moved, no H, no D": (seed) =>
    hierarchy(seed, { preset: "robust", rules: ALONE, moved: 4 }),
});
await writeResults("sparsey-sequences", "npm run protocol -- sparsey-sequences", { seeds: SEEDS, figures });
