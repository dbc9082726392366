/** P7 of sparsey.md: stored patterns completed from damaged cues, beside other one-shot memories of the same size. */
import { createHopfieldMemory } from "../../../src/memory/baselines/hopfield.ts";
import { createPoolerMemory } from "../../../src/memory/baselines/htm/htm.ts";
import { createModernHopfieldMemory } from "../../../src/memory/baselines/modern-hopfield.ts";
import { createNaiveBayesMemory } from "../../../src/memory/baselines/naive-bayes.ts";
import { createNearestMemory } from "../../../src/memory/baselines/nearest.ts";
import type { PatternMemory } from "../../../src/memory/baselines/pattern-memory.ts";
import { createRidgeMemory } from "../../../src/memory/baselines/ridge.ts";
import { createSparseDistributedMemory } from "../../../src/memory/baselines/sparse-distributed.ts";
import { createWillshawMemory } from "../../../src/memory/baselines/willshaw.ts";
import { inputsFrom, strongestInputs } from "../../../src/memory/decode.ts";
import type { PresetName } from "../../../src/memory/rules.ts";
import { random } from "../../../src/random.ts";
import { singleField } from "./one-field.ts";
import { corrupt, randomPatterns } from "./patterns.ts";
import { average } from "./statistics.ts";

const INPUTS = 144;
const ACTIVE = 12;

/** 9 modules of 16 cells: as many weights as a Willshaw net of 144 inputs. */
function codes(preset: PresetName, seed: number): PatternMemory {
  const memory = singleField({ inputs: INPUTS, q: 9, k: 16 }, preset, seed);
  return {
    learn: (pattern) => memory.learn(pattern),
    recognize: (cue, size) => {
      const votes = memory.decode(memory.recognize(cue).code);
      const certain = inputsFrom(votes, 1);
      return certain.length >= size ? certain : strongestInputs(votes, size);
    },
  };
}

/** Whatever is learnt is presented so often at once. */
function presented(times: number, memory: PatternMemory): PatternMemory {
  return {
    ...memory,
    learn: (pattern) => {
      for (let i = 0; i < times; i++) memory.learn(pattern);
    },
  };
}

export const MEMORIES: Record<string, (seed: number) => PatternMemory> = {
  robust: (seed) => codes("robust", seed),
  capacity: (seed) => codes("capacity", seed),
  Willshaw: () => createWillshawMemory(INPUTS),
  Hopfield: () => createHopfieldMemory(INPUTS, { activity: ACTIVE / INPUTS }),
  "sparse distributed": (seed) => createSparseDistributedMemory(INPUTS, { locations: 288, seed }),
  "naive Bayes": () => createNaiveBayesMemory(INPUTS),
  ridge: () => createRidgeMemory(INPUTS),
  "spatial pooler": (seed) => createPoolerMemory(INPUTS, { seed }),
  "spatial pooler, 10 presentations": (seed) => presented(10, createPoolerMemory(INPUTS, { seed })),
  "modern Hopfield": () => createModernHopfieldMemory(INPUTS),
  "nearest pattern": () => createNearestMemory(INPUTS),
};

export const CUES = {
  intact: { items: 100, changed: 0, moved: false },
  "4 of 12 dropped": { items: 100, changed: 4, moved: false },
  "2 moved": { items: 100, changed: 2, moved: true },
  "4 moved": { items: 100, changed: 4, moved: true },
  "4 of 12 dropped, 150 items": { items: 150, changed: 4, moved: false },
};

/** Share of the items that come back exactly. */
export function reconstruction(
  seed: number,
  memory: keyof typeof MEMORIES,
  cue: keyof typeof CUES,
  { stored = true } = {},
): number {
  const { items: count, changed, moved } = CUES[cue];
  const rng = random(seed);
  const items = randomPatterns(rng, count, INPUTS, ACTIVE);
  const other = randomPatterns(rng, count, INPUTS, ACTIVE);
  const made = MEMORIES[memory](seed);
  for (const item of stored ? items : other) made.learn(item);
  return average(
    items.map((item) =>
      Number(made.recognize(corrupt(rng, item, INPUTS, changed, moved), ACTIVE).join() === item.join()),
    ),
  );
}
