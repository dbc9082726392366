import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inLines } from "../../protocols/support/jobs.ts";

test("lines give back what was put there, to the same job with the same settings alone; a torn one is as none", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "filigree-runs-")), "runs", "some.jsonl");
  const store = inLines(path, { width: 96 });
  const [first, second] = [1, 2].map((seed) => ({ method: "sst", seed }));
  expect(await store.get(first)).toBeUndefined();
  await store.put(first, { costs: { a: 0.1 + 0.2 }, name: "ä\n{}" });
  await store.put(second, { costs: null });
  expect(await store.get(first)).toEqual({ costs: { a: 0.1 + 0.2 }, name: "ä\n{}" });
  expect(await store.get(second)).toEqual({ costs: null });
  expect(await inLines(path, { width: 97 }).get(first)).toBeUndefined();
  expect(await store.get({ ...first, largest: true })).toBeUndefined();
  const whole = readFileSync(path, "utf8");
  for (const cut of [1, 2, 7]) {
    writeFileSync(path, whole.slice(0, -cut));
    expect(await store.get(second)).toBeUndefined();
    await store.put(second, { costs: cut });
    // With nothing but its end missing, the line is whole after all.
    expect(await store.get(second)).toEqual({ costs: cut === 1 ? null : cut });
  }
  expect(await store.get(first)).toBeDefined();
  // A job's own settings count too.
  await store.put({ settings: 1 }, "one");
  expect(await store.get({ settings: 1 })).toBe("one");
  expect(await store.get({ settings: 2 })).toBeUndefined();
});
