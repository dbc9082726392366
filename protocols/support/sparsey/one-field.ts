/** P1, P4, P6, P10, P11 of sparsey.md: what one field stores, how it answers, where it ends. */
import { agreement, createMemory, type MemoryOptions } from "../../../src/memory/memory.ts";
import type { PresetName, Rules } from "../../../src/memory/rules.ts";
import { random } from "../../../src/random.ts";
import { corrupt, overlap, randomPatterns } from "./patterns.ts";
import { average, kendall } from "./statistics.ts";

export interface FieldSize {
  inputs: number;
  q: number;
  k: number;
}

export function singleField(
  { inputs, q, k }: FieldSize,
  preset: PresetName,
  seed: number,
  rules: Partial<Rules> = {},
) {
  return createMemory({
    inputs,
    levels: [{ q, k }],
    preset,
    seed,
    rules: { freezeAt: null, ...rules },
  } satisfies MemoryOptions);
}

/** P1: items seen once and presented again; the control is a memory that has seen nothing. */
export function storeAndRetrieve(seed: number) {
  const size = { inputs: 144, q: 24, k: 16 };
  const items = randomPatterns(random(seed), 100, 144, 12);
  const memory = singleField(size, "robust", seed);
  const codes = items.map((item) => memory.learn(item).code);
  const again = items.map((item) => memory.recognize(item));
  const fresh = singleField(size, "robust", seed + 1000);
  const control = items.map((item) => fresh.recognize(item));
  return {
    perModule: average(again.map(({ code }, i) => agreement(code, codes[i]))),
    familiarity: average(again.map((frame) => frame.familiarity!)),
    freshAgreement: average(control.map(({ code }, i) => agreement(code, codes[i]))) * size.q,
    freshFamiliarity: average(control.map((frame) => frame.familiarity!)),
  };
}

/** P1: share of items whose recalled code is exact and nobody else's, at 384 units: distributed and localist. */
export function distributedAgainstLocalist(
  seed: number,
  { q, k, items: count }: { q: number; k: number; items: number },
) {
  const items = randomPatterns(random(seed), count, 2000, 20);
  const memory = singleField({ inputs: 2000, q, k }, "uniform", seed);
  const codes = items.map((item) => memory.learn(item).code.join());
  const uses = new Map<string, number>();
  for (const code of codes) uses.set(code, (uses.get(code) ?? 0) + 1);
  return average(
    items.map((item, i) =>
      Number(memory.recognize(item).code.join() === codes[i] && uses.get(codes[i]) === 1),
    ),
  );
}

/** P4: does one softly read code rank ten stored items by their overlap with a probe? The control reads with χ = 0. */
export function similarityDistribution(seed: number, preset: PresetName, chiWhenReading?: number) {
  const taus: number[] = [];
  const tops: number[] = [];
  for (let trial = 0; trial < 40; trial++) {
    const rng = random(1000 * seed + trial);
    const items = randomPatterns(rng, 10, 144, 12);
    const memory = singleField({ inputs: 144, q: 24, k: 8 }, preset, 1000 * seed + trial);
    const codes = items.map((item) => memory.learn(item).code);
    const probe = new Set<number>();
    for (const [i, share] of [6, 3, 2, 1].entries()) {
      const unused = items[i].filter((j) => !probe.has(j));
      for (const at of rng.permutation(unused.length).subarray(0, share)) probe.add(unused[at]);
    }
    const active = [...probe];
    if (chiWhenReading !== undefined)
      for (const mac of memory.network.macs) mac.rules = { ...mac.rules, chi: chiWhenReading };
    const { code } = memory.recognize(active, { soft: true });
    const inputs = items.map((item) => overlap(active, item));
    const read = codes.map((other) => agreement(code, other));
    taus.push(kendall(inputs, read));
    tops.push(Number(read[0] === Math.max(...read)));
  }
  return { tau: average(taus), top1: average(tops) };
}

/** P6: G of 100 stored items with 0, 2, 4, 6 and all 12 features moved, and with half of them missing. */
export function noveltyScore(seed: number, preset: PresetName, rules: Partial<Rules> = {}) {
  const rng = random(seed);
  const items = randomPatterns(rng, 100, 144, 12);
  const memory = singleField({ inputs: 144, q: 24, k: 16 }, preset, seed, rules);
  for (const item of items) memory.learn(item);
  const g = (cues: number[][]) => average(cues.map((cue) => memory.recognize(cue).familiarity!));
  return {
    moved: [0, 2, 4, 6, 12].map((count) => g(items.map((item) => corrupt(rng, item, 144, count)))),
    halfMissing: g(items.map((item) => corrupt(rng, item, 144, 6, false))),
  };
}

/** P10: after how many items a memory freezes, and what is left of the first 50 after 400. */
export function freezing(seed: number, theta: number | null) {
  const items = randomPatterns(random(seed), 400, 144, 12);
  const memory = singleField({ inputs: 144, q: 9, k: 16 }, "uniform", seed, { freezeAt: theta });
  let frozenAfter: number | undefined;
  const codes = items.map((item, i) => {
    const { code } = memory.learn(item);
    if (memory.network.macs[0].frozen) frozenAfter ??= i + 1;
    return code;
  });
  const again = items.map((item) => memory.recognize(item));
  return {
    frozenAfter,
    firstFifty: average(codes.slice(0, 50).map((code, i) => agreement(code, again[i].code))),
    familiarityAfter: frozenAfter
      ? average(again.slice(frozenAfter).map((frame) => frame.familiarity!))
      : undefined,
  };
}
