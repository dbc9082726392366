import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readNpz, writeNpz } from "../../src/data/npz.ts";
import { createNpzRows, openNpzRows } from "../../src/data/npz-rows.node.ts";
import { tensor } from "../../src/engine/tensor.ts";

const folder = mkdtempSync(join(tmpdir(), "filigree-npz-rows-"));
const row = (i: number) => Float32Array.from({ length: 6 }, (_, k) => 10 * i + k);

test("rows that come one by one are an ordinary archive, read whole or row by row", async () => {
  const path = join(folder, "deep", "rows.npz");
  const writer = await createNpzRows(path, "positions", [3, 2]);
  for (let i = 0; i < 12; i++) await writer.append(row(i));
  expect(existsSync(path)).toBe(false);
  await writer.finish(new Map([["kind", tensor("uint8", [3], [1, 2, 3])]]));
  expect(existsSync(`${path}.tmp`)).toBe(false);

  // The other reader checks every length and checksum.
  const whole = readNpz(new Uint8Array(readFileSync(path)));
  expect(whole.get("positions")!.shape).toEqual([12, 3, 2]);
  expect([...whole.get("positions")!.data.subarray(66)]).toEqual([...row(11)]);
  expect([...whole.get("kind")!.data]).toEqual([1, 2, 3]);

  const reader = (await openNpzRows(path, "positions"))!;
  expect(reader.shape).toEqual([12, 3, 2]);
  for (const i of [11, 0, 5]) expect(await reader.row(i)).toEqual(row(i));
  await reader.close();
});

test("the archives of others are read by rows where that is possible, and only there", async () => {
  const doubles = new Map([["positions", tensor("float64", [2, 3], [1, 2, 3, 4, 5, 6])]]);
  const stored = join(folder, "stored.npz");
  writeFileSync(stored, writeNpz(doubles, { compress: false }));
  const reader = (await openNpzRows(stored, "positions"))!;
  expect([...(await reader.row(1))]).toEqual([4, 5, 6]);
  await reader.close();
  expect(await openNpzRows(stored, "velocities")).toBeUndefined();
  const deflated = join(folder, "deflated.npz");
  writeFileSync(deflated, writeNpz(doubles));
  expect(await openNpzRows(deflated, "positions")).toBeUndefined();
  writeFileSync(join(folder, "text"), "no archive at all");
  expect(await openNpzRows(join(folder, "text"), "positions")).toBeUndefined();
  // Control: a file cut short is noticed.
  writeFileSync(join(folder, "cut"), readFileSync(stored).subarray(0, 100));
  expect(await openNpzRows(join(folder, "cut"), "positions")).toBeUndefined();
});

test("what is given up leaves nothing behind", async () => {
  const path = join(folder, "given-up.npz");
  const writer = await createNpzRows(path, "positions", [1]);
  await writer.append(Float32Array.of(1));
  await writer.discard();
  expect(existsSync(path) || existsSync(`${path}.tmp`)).toBe(false);
});
