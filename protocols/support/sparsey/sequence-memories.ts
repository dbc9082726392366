/** What follows, of memories of sequences: after one presentation and after more. */
import { createHtmMemory } from "../../../src/memory/baselines/htm/htm.ts";
import type { SequenceMemory } from "../../../src/memory/baselines/sequence-memory.ts";
import { decodeVotes, inputsFrom, strongestInputs } from "../../../src/memory/decode.ts";
import { runFrame } from "../../../src/memory/network.ts";
import type { PresetName, Rules } from "../../../src/memory/rules.ts";
import { random } from "../../../src/random.ts";
import { singleField } from "./one-field.ts";
import { corrupt, overlap, randomPatterns } from "./patterns.ts";
import { average } from "./statistics.ts";

const INPUTS = 144;
const ACTIVE = 12;
const FRAMES = 10;

/** 9 modules of 16 cells, as in the author's studies of capacity: 39,168 weights of one bit. */
function codes(preset: PresetName, seed: number, rules?: Partial<Rules>): SequenceMemory {
  const memory = singleField({ inputs: INPUTS, q: 9, k: 16 }, preset, seed, rules);
  return {
    learnSequence: (frames) => {
      memory.learnSequence(frames);
    },
    predict: (frames, size) =>
      frames.map((_, t) => {
        memory.recognizeSequence(frames.slice(0, t + 1));
        const { code } = runFrame(memory.network, [], "recall", { stopBelow: 0.5 });
        if (code[0] < 0) return [];
        const votes = decodeVotes(memory.network, code);
        const certain = inputsFrom(votes, 1);
        return certain.length >= size ? certain : strongestInputs(votes, size);
      }),
  };
}

/** Hierarchical temporal memory with the defaults of Numenta's program, or with new synapses that connect at once. */
export const SEQUENCE_MEMORIES: Record<string, (seed: number) => SequenceMemory> = {
  robust: (seed) => codes("robust", seed),
  capacity: (seed) => codes("capacity", seed),
  "robust, skips what it knows": (seed) => codes("robust", seed, { skipIfFamiliar: 0.95 }),
  HTM: (seed) => createHtmMemory(INPUTS, { pooler: { seed }, temporal: { seed } }),
  "HTM, connected at once": (seed) =>
    createHtmMemory(INPUTS, { pooler: { seed }, temporal: { seed, initialPermanence: 0.5 } }),
};

export const PRESENTATIONS = [1, 2, 4, 8];

export interface SequenceTask {
  sequences: number;
  /** Frames are drawn from so many; otherwise each is seen once in all of the sequences. */
  lexicon?: number;
  /** Inputs moved in each frame of the cue. */
  moved?: number;
}

export const SEQUENCE_TASKS: Record<string, SequenceTask> = {
  "8 sequences": { sequences: 8 },
  "2 of 12 moved": { sequences: 8, moved: 2 },
  "frames drawn from 20": { sequences: 8, lexicon: 20 },
};

/**
 * Share of the inputs of the next frame that are expected, from the second frame of a sequence of ten on, after each
 * number of presentations of them all. `stored` false: other sequences were learnt.
 */
export function nextFrames(
  seed: number,
  name: string,
  { sequences, lexicon, moved = 0 }: SequenceTask,
  { stored = true, presentations = PRESENTATIONS } = {},
): Record<string, number> {
  const rng = random(seed);
  const words = lexicon ? randomPatterns(rng, lexicon, INPUTS, ACTIVE) : undefined;
  const draw = () =>
    Array.from({ length: sequences }, () =>
      words
        ? Array.from(rng.permutation(words.length).subarray(0, FRAMES), (w) => words[w])
        : randomPatterns(rng, FRAMES, INPUTS, ACTIVE),
    );
  const items = draw();
  const learnt = stored ? items : draw();
  const memory = SEQUENCE_MEMORIES[name](seed);
  const share = () =>
    average(
      items.flatMap((frames) =>
        memory
          .predict(
            frames.slice(0, -1).map((frame) => (moved ? corrupt(rng, frame, INPUTS, moved) : frame)),
            ACTIVE,
          )
          .slice(1)
          .map((next, t) => overlap(frames[t + 2], next) / Math.max(ACTIVE, next.length)),
      ),
    );
  const figures: Record<string, number> = {};
  for (let times = 1; times <= Math.max(...presentations); times++) {
    for (const frames of learnt) memory.learnSequence(frames);
    if (presentations.includes(times)) figures[times] = share();
  }
  return figures;
}
