/** P8 of sparsey.md: sequences of frames, their order, their speed, and hierarchies over them. */
import { patchFields } from "../../../src/memory/fields.ts";
import { agreement, createMemory, type Memory } from "../../../src/memory/memory.ts";
import type { Frame } from "../../../src/memory/network.ts";
import type { PresetName, Rules } from "../../../src/memory/rules.ts";
import { type Random, random } from "../../../src/random.ts";
import { singleField } from "./one-field.ts";
import { corrupt, overlap, randomPattern, randomPatterns } from "./patterns.ts";
import { areaUnderCurve, average } from "./statistics.ts";

const codesOf = (frames: readonly Frame[]) => frames.map(({ code }) => code);

/** Share of modules that win again, mean over frames; `stored` may be shorter where frames were left out. */
const accuracy = (stored: readonly Int32Array[], frames: readonly Frame[]) =>
  average(frames.map(({ code }, t) => agreement(stored[t], code)));

/** The author's first two studies: 12×12 pixels, 9 to 12 on, ten white-noise frames a sequence, Q = 9. */
export function sequenceCapacity(
  seed: number,
  { preset, k, sequences }: { preset: PresetName; k: number; sequences: number },
) {
  const rng = random(seed);
  const memory = singleField({ inputs: 144, q: 9, k }, preset, seed);
  const items = Array.from({ length: sequences }, () =>
    Array.from({ length: 10 }, () => randomPattern(rng, 144, 9 + rng.integer(4))),
  );
  const stored = items.map((frames) => codesOf(memory.learnSequence(frames)));
  const moved = (count: number) =>
    average(
      items.map((frames, i) =>
        accuracy(stored[i], memory.recognizeSequence(frames.map((f) => corrupt(rng, f, 144, count)))),
      ),
    );
  const familiarity = (sets: readonly number[][][]) =>
    average(sets.flatMap((frames) => memory.recognizeSequence(frames).map((f) => f.familiarity!)));
  return {
    exact: moved(0),
    oneMoved: moved(1),
    twoMoved: moved(2),
    familiarity: familiarity(items),
    familiarityShuffled: familiarity(
      items.map((frames) => Array.from(rng.permutation(10), (t) => frames[t])),
    ),
  };
}

/** Replay from the first frame: Q = 10, K = 18, 10×10 pixels, 5 on, 13 frames; mean F1 of the decoded frames. */
export function replay(seed: number, { sequences, rules }: { sequences: number; rules?: Partial<Rules> }) {
  const rng = random(seed);
  const memory = singleField({ inputs: 100, q: 10, k: 18 }, "capacity", seed, rules);
  const items = Array.from({ length: sequences }, () => randomPatterns(rng, 13, 100, 5));
  for (const frames of items) memory.learnSequence(frames);
  return average(
    items.map((frames) => {
      const played = memory.recall(frames[0], { length: 13 });
      return average(
        frames.map((f, t) =>
          played[t] ? (2 * overlap(f, played[t].active)) / (5 + played[t].active.length) : 0,
        ),
      );
    }),
  );
}

/** Eight classes are eight orders of the same frames with the same last one; the class is read from the last code. */
export function orderClassification(
  seed: number,
  { preset, rules, moved = 0 }: { preset: PresetName; rules?: Partial<Rules>; moved?: number },
) {
  const results: number[] = [];
  for (let trial = 0; trial < 5; trial++) {
    const rng = random(100 * seed + trial);
    const frames = randomPatterns(rng, 8, 144, 12);
    const orders = Array.from({ length: 8 }, () => [...rng.permutation(7), 7]);
    const memory = singleField({ inputs: 144, q: 24, k: 32 }, preset, 100 * seed + trial, rules);
    for (const [c, order] of orders.entries())
      memory.learnSequence(
        order.map((t) => frames[t]),
        { label: String(c) },
      );
    for (const [c, order] of orders.entries()) {
      const { label } = memory.classifySequence(
        order.map((t) => corrupt(rng, frames[t], 144, moved)),
        { readout: "binary" },
      );
      results.push(Number(label === String(c)));
    }
  }
  return average(results);
}

/** Known frames in unknown orders: AUC of the familiarity of learnt against novel episodes. */
export function orderNovelty(seed: number, rules: Partial<Rules> = {}) {
  const rng = random(seed);
  const frames = randomPatterns(rng, 10, 144, 12);
  const memory = singleField({ inputs: 144, q: 24, k: 16 }, "robust", seed, rules);
  const bigrams = new Set<string>();
  const episode = (fresh: boolean): number[] => {
    for (;;) {
      const order = Array.from(rng.permutation(10).subarray(0, 6));
      const pairs = order.slice(1).map((t, i) => `${order[i]},${t}`);
      if (fresh && pairs.some((pair) => bigrams.has(pair))) continue;
      if (!fresh) for (const pair of pairs) bigrams.add(pair);
      return order;
    }
  };
  const learnt = Array.from({ length: 6 }, () => episode(false));
  const novel = Array.from({ length: 6 }, () => episode(true));
  for (const order of learnt) memory.learnSequence(order.map((t) => frames[t]));
  const scores = (orders: number[][], key: "familiarity" | "orderFamiliarity") =>
    orders.map((order) =>
      average(
        memory
          .recognizeSequence(order.map((t) => frames[t]))
          .slice(1)
          .map((f) => f[key]!),
      ),
    );
  const of = (key: "familiarity" | "orderFamiliarity") => {
    const [yes, no] = [scores(learnt, key), scores(novel, key)];
    return { learnt: average(yes), novel: average(no), auc: areaUnderCurve(yes, no) };
  };
  return { order: of("orderFamiliarity"), used: of("familiarity") };
}

/** Four sequences of 12 frames played fast, slow and with gaps; share of modules that win as when stored. */
export function timeWarp(seed: number, backoff: Rules["backoff"]) {
  const rng = random(seed);
  const items = Array.from({ length: 4 }, () => randomPatterns(rng, 12, 144, 12));
  const memory = singleField({ inputs: 144, q: 24, k: 16 }, "robust", seed, { backoff });
  const stored = items.map((frames) => codesOf(memory.learnSequence(frames)));
  const all = Array.from({ length: 12 }, (_, t) => t);
  const played = (times: () => number[]) =>
    average(
      items.map((frames, i) => {
        const order = times();
        return accuracy(
          order.map((t) => stored[i][t]),
          memory.recognizeSequence(order.map((t) => frames[t])),
        );
      }),
    );
  return {
    doubleSpeed: played(() => all.filter((t) => t % 2 === 0)),
    halfSpeed: played(() => all.flatMap((t) => [t, t])),
    fourDropped: played(() => Array.from(rng.permutation(12).subarray(4)).sort((a, b) => a - b)),
  };
}

/** [A B C D] and [E B F G], started at B: the code of B is torn between two; C settles it. */
export function competingHypotheses(seed: number, exponent: number) {
  const rng = random(seed);
  const [A, B, C, D, E, F, G] = randomPatterns(rng, 7, 144, 12);
  const memory = singleField({ inputs: 144, q: 24, k: 16 }, "robust", seed, { hypothesisExponent: exponent });
  const first = codesOf(memory.learnSequence([A, B, C, D]));
  const second = codesOf(memory.learnSequence([E, B, F, G]));
  const [atB, atC] = memory.recognizeSequence([B, C]);
  return {
    overlaps: [agreement(atB.code, first[1]), agreement(atB.code, second[1])],
    accuracyAtC: agreement(atC.code, first[2]),
    familiarityAtC: atC.familiarity!,
  };
}

/** A blob of nine pixels that wanders over a 12×12 torus for eight frames. */
function blobClip(rng: Random): number[][] {
  const shape = Array.from(rng.permutation(25).subarray(0, 9), (i) => [Math.floor(i / 5) - 2, (i % 5) - 2]);
  let [y, x] = [2 + 7 * rng.uniform(), 2 + 7 * rng.uniform()];
  let [vy, vx] = [rng.normal(), rng.normal()];
  return Array.from({ length: 8 }, () => {
    const wrap = (v: number) => ((Math.round(v) % 12) + 12) % 12;
    const frame = shape.map(([dy, dx]) => wrap(y + dy) * 12 + wrap(x + dx));
    [y, x] = [y + vy, x + vx];
    if (rng.uniform() < 0.3) [vy, vx] = [rng.normal(), rng.normal()];
    return [...new Set(frame)].sort((a, b) => a - b);
  });
}

/** Four macs over quarters of the image, one above them with twice the persistence. */
export function blobMemory(seed: number, preset: PresetName, rules: Partial<Rules>): Memory {
  return createMemory({
    inputs: 144,
    levels: [
      { fields: patchFields({ columns: 12, rows: 12 }, { size: 6, stride: 6 }), q: 10, k: 16, band: [2, 30] },
      { q: 12, k: 16, persistence: 2 },
    ],
    preset,
    seed,
    rules: { freezeAt: null, ...rules },
  });
}

/** Eight clips stored once: how much of their trace comes back, level by level, and which clip the top says it is. */
export function hierarchy(
  seed: number,
  { preset, rules = {}, moved = 0 }: { preset: PresetName; rules?: Partial<Rules>; moved?: number },
) {
  const rng = random(seed);
  const clips = Array.from({ length: 8 }, () => blobClip(rng));
  const memory = blobMemory(seed, preset, rules);
  const stored = clips.map((clip) => codesOf(memory.learnSequence(clip)));
  const top = memory.network.offsets[4];
  const right = [0, 0];
  const all = [0, 0];
  let identified = 0;
  const gs: number[] = [];
  for (const [c, clip] of clips.entries()) {
    const frames = memory.recognizeSequence(clip.map((f) => corrupt(rng, f, 144, Math.min(moved, f.length))));
    for (const [t, { code, familiarity }] of frames.entries()) {
      if (familiarity !== undefined) gs.push(familiarity);
      for (const [q, winner] of stored[c][t].entries())
        if (winner >= 0) {
          all[Number(q >= top)]++;
          if (code[q] === winner) right[Number(q >= top)]++;
        }
    }
    const last = (codes: readonly Int32Array[]) => codes.at(-1)!.subarray(top);
    const near = stored.map((codes) => agreement(last(codes), last(codesOf(frames))));
    identified += Number(near.every((x, other) => other === c || x < near[c])) / clips.length;
  }
  return { trace: right.map((n, l) => n / all[l]), identified, familiarity: average(gs) };
}
