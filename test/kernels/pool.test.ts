import { expect, test } from "vitest";
import { createArena } from "../../src/kernels/arena.ts";
import { codesWasm } from "../../src/kernels/codes.wasm.ts";
import { createPool, type PoolCall } from "../../src/kernels/pool.ts";

const CELLS = 1000;

test("every call is made once, whoever makes it, however late the helpers come", async () => {
  const arena = createArena(1e6, true);
  const ones = arena.float64(CELLS).fill(1);
  const targets = Array.from({ length: 20 }, () => arena.float64(CELLS));
  const call = (t: number): PoolCall => ["add", [ones.byteOffset, targets[t].byteOffset, CELLS]];
  // Batches overlap in what they add to, so that a call too many or in the wrong batch shows.
  const batches = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [7], [12, 13, 14, 15, 16, 17, 18, 19, 0], []];
  const pool = await createPool({
    memory: arena.memory,
    wasm: [codesWasm],
    threads: 3,
    batches: batches.map((batch) => batch.map(call)),
  });
  const expected = targets.map(() => 0);
  for (let round = 0; round < 1500; round++) {
    const batch = round % 7 === 0 ? 2 : round % batches.length;
    pool.run(batch);
    for (const t of batches[batch]) expected[t]++;
    expect(targets.map((target) => target[0])).toEqual(expected);
  }
  for (const [t, target] of targets.entries()) expect(target.every((x) => x === expected[t])).toBe(true);
  await pool.end();
});

test("one thread alone is a pool, too", async () => {
  const arena = createArena(1e5, true);
  const [ones, target] = [arena.float64(CELLS).fill(1), arena.float64(CELLS)];
  const add: PoolCall = ["add", [ones.byteOffset, target.byteOffset, CELLS]];
  const pool = await createPool({
    memory: arena.memory,
    wasm: [codesWasm],
    threads: 1,
    batches: [[add, add, add]],
  });
  pool.run(0);
  expect(target.every((x) => x === 3)).toBe(true);
  await pool.end();
});
