import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readNpz, writeNpz } from "../../src/data/npz.ts";
import { openNpz } from "../../src/data/npz-file.node.ts";
import { createNpzRows } from "../../src/data/npz-rows.node.ts";
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

  const file = await openNpz(path);
  const rows = (await file.rows("positions"))!;
  expect(rows.shape).toEqual([12, 3, 2]);
  for (const i of [11, 0, 5]) expect(await rows.row(i)).toEqual(row(i));
  expect([...(await file.tensor("kind"))!.data]).toEqual([1, 2, 3]);
  await file.close();
});

test("the archives of others, stored or deflated, doubles or Fortran's order", async () => {
  for (const dtype of ["float32", "float64", "int64"] as const)
    for (const compress of [false, true]) {
      const path = join(folder, `${dtype}-${compress}.npz`);
      const data = dtype === "int64" ? BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n) : [1, 2, 3, 4, 5, 6];
      writeFileSync(path, writeNpz(new Map([["positions", tensor(dtype, [2, 3], data)]]), { compress }));
      const file = await openNpz(path);
      const rows = (await file.rows("positions"))!;
      expect(rows.shape).toEqual([2, 3]);
      expect([...(await rows.row(1))]).toEqual([4, 5, 6]);
      expect(await file.rows("velocities")).toBeUndefined();
      await file.close();
    }
});

test("damaged files are named", async () => {
  const path = join(folder, "float64-false.npz");
  const cut = join(folder, "cut.npz");
  writeFileSync(cut, readFileSync(path).subarray(0, 150));
  await expect(openNpz(cut)).rejects.toThrow("not a .npz file, or its end is missing");
  writeFileSync(cut, readFileSync(path).subarray(100));
  const file = openNpz(cut).then((f) => f.rows("positions"));
  await expect(file).rejects.toThrow();
});

test("what is given up leaves nothing behind", async () => {
  const path = join(folder, "given-up.npz");
  const writer = await createNpzRows(path, "positions", [1]);
  await writer.append(Float32Array.of(1));
  await writer.discard();
  expect(existsSync(path) || existsSync(`${path}.tmp`)).toBe(false);
});
