import { expect, test } from "vitest";
import { patchFields } from "../../src/memory/fields.ts";
import { agreement, createMemory, memoryFromBytes } from "../../src/memory/memory.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";
import { subset } from "./support.ts";

const OPTIONS = {
  inputs: 64,
  levels: [
    { fields: patchFields({ columns: 8, rows: 8 }, { size: 4, stride: 2 }), q: 2, k: 4, band: [2, 16] },
    { q: 5, k: 6 },
  ],
  keepCodes: true,
} as const;

test("nearestCode is a search through the codes that the items got", () => {
  const rng = random(12);
  const memory = createMemory(OPTIONS);
  const stored = Array.from({ length: 60 }, () => {
    const label = `class ${rng.integer(5)}`;
    return { label, code: memory.learn(subset(rng, 64, 3 + rng.integer(9)), { label }).code };
  });
  memory.learn(subset(rng, 64, 9));
  const names = [...new Set(stored.map(({ label }) => label))];
  const modules = stored[0].code.length;
  const again = memoryFromBytes(memory.toBytes());
  const seen = { silent: 0, ties: 0, other: 0 };
  for (let probe = 0; probe < 80; probe++) {
    const cue = subset(rng, 64, 2 + rng.integer(10));
    const { code } = memory.recognize(cue);
    const told = memory.classifyCode(code, { readout: "nearestCode" });
    const best = names.map((name) =>
      Math.max(...stored.filter(({ label }) => label === name).map((item) => agreement(item.code, code))),
    );
    told.scores.forEach(({ score }, c) => expect(score / modules).toBeCloseTo(best[c], 12));
    expect(told.scores.map(({ label }) => label)).toEqual(names);
    const active = code.some((winner) => winner >= 0);
    expect(told.label).toBe(active ? names[best.indexOf(Math.max(...best))] : undefined);
    expect(again.classifyCode(code, { readout: "nearestCode" })).toEqual(told);
    seen.silent += Number(code.includes(-1));
    seen.ties += Number(best.filter((x) => x === Math.max(...best)).length > 1);
    seen.other += Number(memory.classifyCode(code, { readout: "binary" }).label !== told.label);
  }
  // Nothing was left out of the comparison, and another read-out would not have passed.
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(5);
});

test("it needs the codes, which take four bytes a module and nothing where they are not asked for", () => {
  const rng = random(3);
  const items = Array.from({ length: 20 }, () => subset(rng, 64, 12));
  const sizes = [true, false].map((keepCodes) => {
    const memory = createMemory({ ...OPTIONS, keepCodes });
    const grows = items.map((item) => {
      memory.learn(item, { label: "one" });
      return memory.labels.kept?.codes[0].length ?? 0;
    });
    expect(grows.at(-1)).toBe(keepCodes ? 20 : 0);
    // The header is left out: its length changes with every number in it.
    const body = (bytes: Uint8Array) => bytes.length - new DataView(bytes.buffer).getUint32(12, true);
    const before = body(memory.toBytes());
    memory.learn(items[0], { label: "one" });
    return body(memory.toBytes()) - before;
  });
  expect(sizes).toEqual([4 * (9 * 2 + 5), 0]);
  const memory = createMemory({ inputs: 9 });
  memory.learn([1], { label: "one" });
  expectProblem(() => memory.classify([1], { readout: "nearestCode" }), /keepCodes: true/);
});
