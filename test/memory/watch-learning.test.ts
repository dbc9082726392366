import { expect, test } from "vitest";
import { patchFields } from "../../src/memory/fields.ts";
import { createMemory } from "../../src/memory/memory.ts";
import type { Frame } from "../../src/memory/network.ts";
import { watchLearning } from "../../src/memory/watch-learning.ts";
import { random } from "../../src/random.ts";
import { subset } from "./support.ts";

test("the live report is a plain count of what the memory said", () => {
  const rng = random(3);
  const fields = patchFields({ columns: 8, rows: 8 }, { size: 4, stride: 4 });
  const memory = createMemory({
    inputs: 64,
    levels: [
      { fields, q: 3, k: 4, band: [2, 16] },
      { q: 4, k: 4, persistence: 2 },
    ],
    rules: { skipIfFamiliar: 0.999, freezeAt: 0.4 },
  });
  const items = Array.from({ length: 12 }, () => subset(rng, 64, 4 + rng.integer(9)));
  memory.learnSequence(items.slice(0, 3));
  const watch = watchLearning(memory);
  const frames: Frame[] = [];
  for (let episode = 0; episode < 30; episode++) {
    const film = Array.from({ length: 3 }, () => items[rng.integer(items.length)]);
    for (const frame of memory.learnSequence(film)) {
      watch.add(frame);
      frames.push(frame);
    }
  }
  const report = watch.report();
  const { seen, stored, uniqueCodes, uniqueCodesOfMacs, familiarity, ...rest } = report;
  expect(rest).toEqual(memory.report());
  expect([seen, rest.frames]).toEqual([90, 93]);

  const tenths = Array.from({ length: 10 }, (_, b) => [b / 10, (b + 1) / 10]);
  const known = frames.flatMap(({ familiarity: g }) => (g === undefined ? [] : [g]));
  expect(familiarity).toEqual(
    tenths.map(([from, to]) => known.filter((g) => g >= from && (g < to || to === 1)).length),
  );
  expect(stored).toBe(frames.filter(({ macs }) => macs.filter((mac) => mac.store).length > 0).length);
  const different = (codes: number[][]) =>
    codes.filter((code, i) => !codes.slice(0, i).some((other) => other.every((w, q) => w === code[q])))
      .length;
  expect(uniqueCodes).toBe(different(frames.map(({ code }) => Array.from(code))));
  const parts = [0, 3, 6, 9, 12, 16];
  expect(uniqueCodesOfMacs).toEqual(
    parts.slice(1).map((to, m) => {
      const own = frames.map(({ code }) => Array.from(code).slice(parts[m], to));
      return different(own.filter((code) => code[0] >= 0));
    }),
  );

  // Frames differ in all of this: no count is right by chance.
  expect(familiarity.filter((n) => n > 0).length).toBeGreaterThan(3);
  expect(stored).toBeLessThan(seen);
  expect(new Set(uniqueCodesOfMacs).size).toBeGreaterThan(1);
  expect(frames.some(({ macs }) => macs.some(({ state }) => state === "silent"))).toBe(true);

  // A report is a copy of what was counted by then.
  watch.add(frames[0]);
  expect(report.seen).toBe(90);
  expect(watch.report().familiarity.reduce((a, b) => a + b)).toBe(known.length + 1);
});
