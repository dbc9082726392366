import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { patchFields } from "../../src/memory/fields.ts";
import { createMemory, type Memory, type MemoryOptions } from "../../src/memory/memory.ts";
import { useThreads } from "../../src/memory/shared-sums.ts";
import { random } from "../../src/random.ts";
import { subset } from "./support.ts";

const grid = patchFields({ columns: 12, rows: 12 }, { size: 6, stride: 3 });
const MEMORIES: Record<string, MemoryOptions> = {
  "one field": { inputs: 144, levels: [{ q: 9, k: 37 }] },
  "one wide field of many inputs": {
    inputs: 700,
    levels: [{ q: 3, k: 2900 }],
    rules: { useHorizontal: false },
  },
  "a grid": { inputs: 144, levels: [{ fields: grid, q: 4, k: 64 }], rules: { skipIfFamiliar: 0.9 } },
  "three levels": {
    inputs: 144,
    levels: [
      { fields: grid, q: 8, k: 16 },
      { fields: patchFields({ columns: 3, rows: 3 }, { size: 2, stride: 1 }), q: 6, k: 16 },
      { q: 12, k: 16 },
    ],
    rules: { freezeAt: 0.3 },
  },
};

/** Everything that a memory says in some episodes, and what it holds in the end. */
function live(memory: Memory, seed: number) {
  const rng = random(seed);
  const { inputs } = memory.options;
  const said: unknown[] = [];
  const episode = () =>
    Array.from({ length: 3 }, () => subset(rng, inputs, Math.floor(inputs * (0.05 + 0.4 * rng.uniform()))));
  for (let e = 0; e < 2; e++) {
    const frames = episode();
    for (const { code, familiarity } of memory.learnSequence(frames, { label: String(e) }))
      said.push(Array.from(code), familiarity);
    for (const { code, familiarity } of memory.recognizeSequence([frames[0], ...episode()]))
      said.push(Array.from(code), familiarity);
    said.push(memory.recall(frames[0], { length: 3 }).map(({ active }) => active));
  }
  return { said, holds: createHash("sha256").update(memory.toBytes()).digest("hex") };
}

test.each(Object.entries(MEMORIES))("%s: several threads change no bit", async (_, options) => {
  const alone = live(createMemory({ ...options, seed: 4 }), 1);
  const memory = createMemory({ ...options, seed: 4 });
  await useThreads(memory.network, 3, 0);
  expect(live(memory, 1)).toEqual(alone);
  await memory.useThreads(1);
  // The comparison would see a difference.
  expect(live(createMemory({ ...options, seed: 5 }), 1).said).not.toEqual(alone.said);
});

test("threads may come and go in the life of a memory", async () => {
  const options = { ...MEMORIES["a grid"], seed: 2 };
  const [one, other] = [createMemory(options), createMemory(options)];
  for (const [round, threads] of [1, 2, 1, 3].entries()) {
    await useThreads(other.network, threads, 0);
    expect(live(other, round)).toEqual(live(one, round));
  }
});

test("threads are left alone where there is little to do, which changes no bit either", async () => {
  const options = { inputs: 1500, levels: [{ q: 32, k: 256 }], rules: { freezeAt: null }, seed: 3 };
  const [one, other] = [createMemory(options), createMemory(options)];
  await other.useThreads(2);
  const { team } = other.network;
  const asked: boolean[] = [];
  other.network.team = {
    ...team!,
    sum: (level, seen) => {
      const shared = team!.sum(level, seen);
      // A row has 1 KiB.
      expect(shared).toBe(seen[0][0].units.length >= 1024);
      asked.push(shared);
      return shared;
    },
  };
  const rng = random(1);
  for (const size of [1023, 1024, 20, 1400]) {
    const pattern = subset(rng, 1500, size);
    expect(other.learn(pattern)).toEqual(one.learn(pattern));
  }
  expect(asked).toEqual([false, true, false, true]);
  await other.useThreads(1);
  expect(Buffer.compare(other.toBytes(), one.toBytes())).toBe(0);
});

test("it says where threads cannot help", async () => {
  const fading = createMemory({
    inputs: 20,
    preset: "capacity",
    rules: { freezeAt: null },
    decay: { kind: "convex", horizon: 9, kappa: 1 },
  });
  await expect(fading.useThreads(2)).rejects.toThrow(/weights that do not fade/);
  const memory = createMemory({ inputs: 20 });
  for (const threads of [0, 1.5, 17])
    await expect(memory.useThreads(threads)).rejects.toThrow(/choose 1 to 16/);
});
