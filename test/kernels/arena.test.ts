import { expect, test } from "vitest";
import { arenaOf, createArena } from "../../src/kernels/arena.ts";
import { instantiate } from "../../src/kernels/instantiate.ts";
import { updateWasm } from "../../src/kernels/update.wasm.ts";
import { random } from "../../src/random.ts";

interface Update {
  sumOfSquares(x: number, length: number): number;
}

test("arrays of an arena are aligned, apart and zero, and it says when it is full", () => {
  const arena = createArena(100_000);
  const bytes = arena.uint8(5);
  const floats = arena.float32(7);
  const doubles = arena.float64(3);
  bytes.fill(255);
  expect([...floats, ...doubles].every((x) => x === 0)).toBe(true);
  for (const a of [bytes, floats, doubles]) expect(a.byteOffset % 16).toBe(0);
  expect(() => arena.float32(100_000)).toThrow(RangeError);
});

test("an arena beyond 4 GiB is refused", () => {
  expect(() => createArena(5 * 2 ** 30)).toThrow("5.0 GiB");
});

test("what was taken temporarily is free again, and zero for whoever comes next", () => {
  const arena = createArena(1000);
  const at = arena.temporarily(() => {
    const a = arena.float32(100);
    return a.fill(1).byteOffset;
  });
  expect(() => arena.temporarily(() => arena.float32(1e6))).toThrow(RangeError);
  const next = arena.float32(200);
  expect(next.byteOffset).toBe(at);
  expect(next.every((x) => x === 0)).toBe(true);
});

test("an array knows its arena", () => {
  const arena = createArena(16);
  expect(arenaOf(arena.uint8(3).subarray(1))).toBe(arena);
  expect(arenaOf(new Uint8Array(3))).toBeUndefined();
});

test("a kernel works on an arena's arrays in place, for every length modulo the vector width", () => {
  const arena = createArena(1 << 16);
  const { sumOfSquares } = instantiate<Update>(updateWasm, arena.memory);
  const rng = random(1);
  for (const length of [0, 1, 2, 3, 4, 5, 7, 8, 64, 101]) {
    const x = arena.float32(length).map(() => rng.normal());
    const here = arena.float32(length);
    here.set(x);
    const expected = x.reduce((sum, v) => sum + v * v, 0);
    expect(sumOfSquares(here.byteOffset, length)).toBeCloseTo(expected, 12);
  }
});

test("a module is instantiated once a memory", () => {
  const [a, b] = [createArena(16), createArena(16)];
  expect(instantiate(updateWasm, a.memory)).toBe(instantiate(updateWasm, a.memory));
  expect(instantiate(updateWasm, a.memory)).not.toBe(instantiate(updateWasm, b.memory));
});
