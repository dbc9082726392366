/** What the planner foretells for fields of many sizes, and what they do. */
import { agreement, createMemory } from "../../../src/memory/memory.ts";
import { planField } from "../../../src/memory/planner.ts";
import type { PresetName } from "../../../src/memory/rules.ts";
import { random } from "../../../src/random.ts";
import { randomPatterns } from "./patterns.ts";
import { average } from "./statistics.ts";

export interface FieldTask {
  inputs: number;
  active: number;
  items: number;
  q: number;
  /** Default: the planner's. */
  k?: number;
}

/** Random patterns; the last two are more than their fields hold. */
export const FIELDS: readonly FieldTask[] = [
  { inputs: 50, active: 3, items: 60, q: 24 },
  { inputs: 100, active: 10, items: 120, q: 12 },
  { inputs: 256, active: 6, items: 400, q: 12 },
  { inputs: 784, active: 40, items: 500, q: 8 },
  { inputs: 400, active: 200, items: 20, q: 12 },
  { inputs: 144, active: 12, items: 300, q: 9, k: 16 },
  { inputs: 2048, active: 60, items: 600, q: 8, k: 16 },
];

export const PLANNED: readonly PresetName[] = ["robust", "capacity", "uniform", "classic"];

/** Items that a field stores until it freezes, its density, and the share of their winners that come back. */
export function measureField(
  seed: number,
  { inputs, active, items, q }: FieldTask,
  k: number,
  preset: PresetName,
) {
  const memory = createMemory({ inputs, levels: [{ q, k }], preset, seed });
  const stored = randomPatterns(random(seed), items, inputs, active)
    .map((item) => ({ item, frame: memory.learn(item) }))
    .filter(({ frame }) => frame.macs[0].store);
  return {
    stored: stored.length,
    density: memory.report().density[0],
    accuracy: average(stored.map(({ item, frame }) => agreement(memory.recognize(item).code, frame.code))),
  };
}

export function forecast(seed: number, task: FieldTask) {
  const { stored, density, accuracy, k } = planField(task);
  return {
    plan: { stored, density, accuracy },
    ...Object.fromEntries(PLANNED.map((preset) => [preset, measureField(seed, task, k, preset)])),
  };
}
