/** P11 of sparsey.md: what storing one more item costs, with little and with much in the memory. */
import { bytesOf } from "../../../src/data/bytes.ts";
import { crc32 } from "../../../src/data/crc32.ts";
import { createBitMatrix, popcount, setBit } from "../../../src/memory/bit-matrix.ts";
import { random } from "../../../src/random.ts";
import { singleField } from "./one-field.ts";
import { randomPattern, randomPatterns } from "./patterns.ts";

const SIZE = { inputs: 1000, q: 24, k: 64 };

/** Rows summed and synapses visited by storing one item after 1 and after `many` others. */
export function operationCounts(seed: number, many: number) {
  const rng = random(seed);
  const memory = singleField(SIZE, "robust", seed);
  const { up } = memory.network.macs[0];
  const counts = { rows: 0, synapses: 0 };
  const { addSums, connect } = up;
  up.addSums = (units, sums) => {
    counts.rows += units.length;
    addSums(units, sums);
  };
  up.connect = (unit, cell) => {
    counts.synapses++;
    return connect(unit, cell);
  };
  const store = () => {
    Object.assign(counts, { rows: 0, synapses: 0 });
    memory.learn(randomPattern(rng, SIZE.inputs, 20));
    return { ...counts };
  };
  store();
  const afterOne = store();
  for (let i = 2; i < many; i++) store();
  return { afterOne, afterMany: store() };
}

/** Reading the memory in every way, and whether any weight or count has changed. */
export function readOnlyQueries(seed: number): number {
  const rng = random(seed);
  const memory = singleField(SIZE, "robust", seed);
  const items = randomPatterns(rng, 50, SIZE.inputs, 20);
  const codes = items.map((item) => memory.learnSequence([item, items[0]])[0].code);
  const hash = () => {
    const { up, horizontal, crosstalk } = memory.network.macs[0];
    const weights = [up, horizontal!].map(({ state }) =>
      crc32(bytesOf("words" in state ? state.words : state.last)),
    );
    return JSON.stringify([
      weights,
      [...crosstalk.inputCounts],
      [...crosstalk.weighted],
      crosstalk.presentations,
    ]);
  };
  const before = hash();
  memory.recognize(items[3]);
  memory.recognizeSequence(items);
  memory.recall(items[3], { length: 5 });
  memory.gist(items[3]);
  memory.sample();
  memory.similarityDistribution(items[3], codes);
  return Number(hash() === before);
}

/** Processor time in µs to recognise one item, after 10², 10³, … stored; beside a list that is searched through. */
export function timePerItem(seed: number, sizes: readonly number[]) {
  const rng = random(seed);
  const memory = singleField(SIZE, "robust", seed);
  const list = createBitMatrix(Math.max(...sizes), SIZE.inputs);
  let stored = 0;
  // The fair rival: every stored pattern packed into bits, overlaps by popcount.
  const search = (probe: number[]) => {
    const packed = createBitMatrix(1, SIZE.inputs);
    for (const j of probe) setBit(packed, 0, j);
    let most = 0;
    for (let i = 0; i < stored; i++) {
      let shared = 0;
      for (let w = 0; w < list.stride; w++)
        shared += popcount(list.words[i * list.stride + w] & packed.words[w]);
      most = Math.max(most, shared);
    }
    return most;
  };
  const probes = randomPatterns(rng, 100, SIZE.inputs, 20);
  const micros = (work: () => void) => {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / probes.length;
  };
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];
  const rows: Record<string, { memory: number; search: number }> = {};
  for (const probe of probes) memory.recognize(probe);
  for (const size of sizes) {
    for (; stored < size; stored++) {
      const item = randomPattern(rng, SIZE.inputs, 20);
      for (const j of item) setBit(list, stored, j);
      memory.learn(item);
    }
    const few = probes.slice(0, Math.max(3, Math.min(100, Math.round(1e6 / size))));
    const times = Array.from({ length: 7 }, () => ({
      memory: micros(() => probes.forEach((probe) => memory.recognize(probe))),
      search: (micros(() => few.forEach(search)) * probes.length) / few.length,
    }));
    rows[size] = { memory: median(times.map((t) => t.memory)), search: median(times.map((t) => t.search)) };
  }
  return rows;
}
