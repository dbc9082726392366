/**
 * How many items a second does the associative memory store and recognise, beside other one-shot memories, as more and
 * more is stored? Microseconds of processor time of one thread an item; the number of stored items from which on a search
 * through all of them takes longer; in a memory whose weights do not fit into caches, the time to recognise an item over
 * the time in which its active rows could be read at the speed of a large copy; what a second thread changes, by the
 * clock: on a machine that does something else, too, this says nothing; and how much of the time goes into the sums of rows,
 * which is all that threads share. Writes docs/results/sparsey-speed.json.
 *
 * usage: sparsey.js [most stored items, default 100000] [repetitions, default 7]
 */
import { writeResults } from "../protocols/support/results.ts";
import { singleField } from "../protocols/support/sparsey/one-field.ts";
import { randomPattern, randomPatterns } from "../protocols/support/sparsey/patterns.ts";
import { createHopfieldMemory } from "../src/memory/baselines/hopfield.ts";
import { createModernHopfieldMemory } from "../src/memory/baselines/modern-hopfield.ts";
import { createNearestMemory } from "../src/memory/baselines/nearest.ts";
import type { PatternMemory } from "../src/memory/baselines/pattern-memory.ts";
import { createSparseDistributedMemory } from "../src/memory/baselines/sparse-distributed.ts";
import { createWillshawMemory } from "../src/memory/baselines/willshaw.ts";
import { patchFields } from "../src/memory/fields.ts";
import { createMemory, type Memory } from "../src/memory/memory.ts";
import { clear } from "../src/memory/room.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";

const most = Number(process.argv[2] ?? 100_000);
const repetitions = Number(process.argv[3] ?? 7);

const INPUTS = 1000;
const ACTIVE = 20;
const FIELD = { inputs: INPUTS, q: 24, k: 64 };

/** The same calls; codes need no size. */
function fieldOfCodes(): PatternMemory {
  const memory = singleField(FIELD, "robust", 0);
  return {
    learn: (pattern) => memory.learn(pattern),
    recognize: (cue) => Array.from(memory.recognize(cue).code),
  };
}

const MEMORIES: Record<string, () => PatternMemory> = {
  codes: fieldOfCodes,
  "nearest pattern": () => createNearestMemory(INPUTS),
  "modern Hopfield": () => createModernHopfieldMemory(INPUTS),
  Willshaw: () => createWillshawMemory(INPUTS),
  Hopfield: () => createHopfieldMemory(INPUTS, { activity: ACTIVE / INPUTS }),
  "sparse distributed": () => createSparseDistributedMemory(INPUTS, { locations: 288 }),
};
/** These look at every stored pattern. */
const EXACT = ["nearest pattern", "modern Hopfield"];

/** Microseconds of processor time: on a busy machine it says more than the clock. */
function micros(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

/** Microseconds to store and to recognise an item at each size; the memories take turns. */
function byStoredItems() {
  const rng = random(0);
  const probes = randomPatterns(rng, 200, INPUTS, ACTIVE);
  const memories = Object.entries(MEMORIES).map(([name, make]) => ({ name, memory: make() }));
  // Code that has not run before would be timed while it is compiled.
  for (const { name } of memories) {
    const warm = MEMORIES[name]();
    for (const probe of probes) warm.learn(probe);
    for (const probe of probes) warm.recognize(probe, ACTIVE);
  }
  const rows: { items: number; memory: string; store: number; recognize: number }[] = [];
  let stored = 0;
  for (let items = 100; items <= most; items *= 10) {
    const latest = randomPatterns(rng, Math.min(repetitions * 10, items - stored), INPUTS, ACTIVE);
    for (; stored < items - latest.length; stored++) {
      const item = randomPattern(rng, INPUTS, ACTIVE);
      for (const { memory } of memories) memory.learn(item);
    }
    const store: Record<string, number[]> = {};
    for (let from = 0; from < latest.length; from += 10)
      for (const { name, memory } of memories) {
        const part = latest.slice(from, from + 10);
        (store[name] ??= []).push(micros(() => part.forEach((item) => memory.learn(item))) / part.length);
      }
    stored = items;
    const recognize: Record<string, number[]> = {};
    for (let r = 0; r < repetitions; r++)
      for (const { name, memory } of memories) {
        const few = EXACT.includes(name) ? probes.slice(0, Math.max(2, Math.round(2e5 / items))) : probes;
        (recognize[name] ??= []).push(
          micros(() => few.forEach((probe) => memory.recognize(probe, ACTIVE))) / few.length,
        );
      }
    for (const { name } of memories)
      rows.push({ items, memory: name, store: median(store[name]), recognize: median(recognize[name]) });
  }
  return rows;
}

/** Stored items from which on a search takes longer, by the time it takes for the most. */
function crossings(rows: ReturnType<typeof byStoredItems>) {
  const last = rows.filter(({ items }) => items === rows.at(-1)!.items);
  const time = (name: string) => last.find(({ memory }) => memory === name)!.recognize;
  return Object.fromEntries(
    EXACT.map((name) => [name, Math.round((last[0].items * time("codes")) / time(name))]),
  );
}

/** 64 MB of weights, of which an item reads 4 MB. */
const LARGE = { inputs: 65_536, q: 32, k: 256 };
const LARGE_ACTIVE = 4096;

function againstBandwidth() {
  const rng = random(1);
  const memory = singleField(LARGE, "robust", 0);
  const items = randomPatterns(rng, 12, LARGE.inputs, LARGE_ACTIVE);
  for (const item of items) memory.learn(item);
  const from = new Int32Array(2 ** 25).fill(1);
  const to = new Int32Array(2 ** 25).fill(1);
  const times = Array.from({ length: repetitions }, () => ({
    recognize: micros(() => items.forEach((item) => memory.recognize(item))) / items.length,
    copy: micros(() => to.set(from)),
  }));
  const bytes = (LARGE_ACTIVE * LARGE.q * LARGE.k) / 8;
  const recognize = median(times.map((t) => t.recognize));
  // Read once and written once.
  const bytesPerMicrosecond = (2 * from.byteLength) / median(times.map((t) => t.copy));
  return {
    ...LARGE,
    active: LARGE_ACTIVE,
    bytesRead: bytes,
    gigabytesPerSecond: bytesPerMicrosecond / 1000,
    recognize,
    timesTheLimit: recognize / (bytes / bytesPerMicrosecond),
  };
}

/** One that digits are learnt by, see protocols/support/sparsey/mnist.ts, and a grid of larger macs. */
const SIDE = 28;
const GRIDS = {
  "25 macs of 2 × 512 cells": { patch: { size: 9, stride: 4, channels: 8 }, q: 2, k: 512, active: 250 },
  "4 macs of 32 × 256 cells": { patch: { size: 16, stride: 12, channels: 8 }, q: 32, k: 256, active: 1500 },
};

function gridOf({ patch, q, k }: (typeof GRIDS)[keyof typeof GRIDS]): Memory {
  const fields = patchFields({ columns: SIDE, rows: SIDE }, patch);
  const inputs = SIDE * SIDE * patch.channels;
  return createMemory({ inputs, levels: [{ fields, q, k }], rules: { freezeAt: null } });
}

/** Share of the processor time of recognising that adds up rows. */
function shareOfSums({ network: { levels }, recognize }: Memory, items: readonly number[][]): number {
  const [{ macs, fields }] = levels;
  const seen = items.map((item) => {
    const active = new Set(item);
    return fields.map((field) => Int32Array.from(field.keys()).filter((unit) => active.has(field[unit])));
  });
  const shares = Array.from({ length: 3 * repetitions }, () => {
    const sums = micros(() => {
      for (const units of seen)
        for (const [m, { up, scratch }] of macs.entries()) {
          clear(scratch.sums);
          up.addSums(units[m], scratch.sums);
        }
    });
    return sums / micros(() => items.forEach((item) => recognize(item)));
  });
  return median(shares);
}

/** Microseconds by the clock to store and to recognise an item with one thread and with two, which take turns. */
async function byThreads() {
  const kinds: Record<string, { make: () => Memory; inputs: number; active: number }> = {
    "one field, in no cache": {
      make: () => singleField(LARGE, "robust", 0),
      inputs: LARGE.inputs,
      active: LARGE_ACTIVE,
    },
    "the field of the first table": {
      make: () => singleField(FIELD, "robust", 0),
      inputs: INPUTS,
      active: ACTIVE,
    },
  };
  for (const [name, grid] of Object.entries(GRIDS))
    kinds[name] = {
      make: () => gridOf(grid),
      inputs: SIDE * SIDE * grid.patch.channels,
      active: grid.active,
    };
  const byClock = (work: () => void) => {
    const start = performance.now();
    work();
    return 1000 * (performance.now() - start);
  };
  const rows: { memory: string; threads: number; store: number; recognize: number; sums?: number }[] = [];
  for (const [name, { make, inputs, active }] of Object.entries(kinds)) {
    const [one, two] = [make(), make()];
    await two.useThreads(2);
    const rng = random(2);
    const times = [one, two].map(() => ({ store: [] as number[], recognize: [] as number[] }));
    for (let r = -1; r < repetitions; r++) {
      const items = randomPatterns(rng, 10, inputs, active);
      for (const [i, memory] of [one, two].entries()) {
        const store = byClock(() => items.forEach((item) => memory.learn(item))) / items.length;
        const recognize = byClock(() => items.forEach((item) => memory.recognize(item))) / items.length;
        // The first round is timed while code is compiled.
        if (r < 0) continue;
        times[i].store.push(store);
        times[i].recognize.push(recognize);
      }
    }
    await two.useThreads(1);
    const sums = shareOfSums(one, randomPatterns(rng, 50, inputs, active));
    for (const [i, { store, recognize }] of times.entries())
      rows.push({
        memory: name,
        threads: i + 1,
        store: median(store),
        recognize: median(recognize),
        ...(i === 0 && { sums }),
      });
  }
  return rows;
}

const rows = byStoredItems();
console.table(rows);
const crossing = crossings(rows);
console.log("a search takes longer from so many items on:", crossing);
const bandwidth = againstBandwidth();
console.log("against the speed of memory:", bandwidth);
const threads = await byThreads();
console.table(threads);
await writeResults("sparsey-speed", `npm run bench -- sparsey ${most} ${repetitions}`, {
  field: { ...FIELD, active: ACTIVE },
  rows,
  crossing,
  bandwidth,
  threads,
});
