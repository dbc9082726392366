import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Problem } from "../../../src/problem.ts";
import { random } from "../../../src/random.ts";
import { createBitReader, createBitWriter } from "../../../src/sparsity/encoding/bits.ts";
import {
  canonicalCodes,
  codeLengths,
  readLengths,
  symbolReader,
  writeLengths,
} from "../../../src/sparsity/encoding/huffman.ts";
import { readBitmap, readRuns, writeBitmap, writeRuns } from "../../../src/sparsity/encoding/index-code.ts";
import { patternStatistics } from "../../../src/sparsity/runs.ts";

const VECTORS = JSON.parse(readFileSync(new URL("../../vectors/turbovbi.json", import.meta.url), "utf8"));

const bitsOf = (write: (writer: ReturnType<typeof createBitWriter>) => void) => {
  const writer = createBitWriter();
  write(writer);
  return [...writer.finish()]
    .map((b) => b.toString(2).padStart(8, "0"))
    .join("")
    .slice(0, writer.length);
};

test("Elias-γ codes, and the bits of the 3×12 mask, by hand", () => {
  for (const [n, code] of [
    [1, "1"],
    [2, "010"],
    [3, "011"],
    [4, "00100"],
    [9, "0001001"],
  ] as const)
    expect(bitsOf((w) => w.gamma(n))).toBe(code);
  const { mask, runIndexBits } = VECTORS.storage;
  const written = bitsOf((w) => writeRuns(w, { lines: 3, columns: 12, mask: mask.flat() }));
  expect(written).toHaveLength(runIndexBits);
  // Two runs: skip 2 (+1), length 3, skip 2, length 1. None. Two: skip 0 (+1), length 2, skip 4, length 4.
  expect(written).toBe(["011", "011", "011", "010", "1", "1", "011", "1", "010", "00100", "00100"].join(""));
});

/** Masks whose bits stay as they are with some probability, so that runs of all lengths come up. */
const patterns = fc
  .record({
    lines: fc.integer({ min: 1, max: 12 }),
    columns: fc.integer({ min: 1, max: 40 }),
    density: fc.double({ min: 0, max: 1, noNaN: true }),
    stay: fc.double({ min: 0, max: 1, noNaN: true }),
    seed: fc.nat(),
  })
  .map(({ lines, columns, density, stay, seed }) => {
    const rng = random(seed);
    let last = 0;
    const mask = Uint8Array.from({ length: lines * columns }, () => {
      if (rng.uniform() > stay) last = Number(rng.uniform() < density);
      return last;
    });
    return { lines, columns, mask };
  });

test("index codes come back, and are as long as the formula says", () => {
  fc.assert(
    fc.property(patterns, (pattern) => {
      const { lines, columns, mask } = pattern;
      for (const [write, read, bits] of [
        [writeRuns, readRuns, "runs"],
        [writeBitmap, readBitmap, "bitmap"],
      ] as const) {
        const writer = createBitWriter();
        write(writer, pattern);
        expect(writer.length).toBe(patternStatistics(pattern).indexBits[bits]);
        const reader = createBitReader(writer.finish());
        expect(read(reader, lines, columns)).toEqual(mask);
        expect(reader.position).toBe(writer.length);
      }
    }),
    { numRuns: 300, seed: 1 },
  );
});

/** Least bits of any prefix code, by trying all sums of two: not the way of the code under test. */
function leastBits(counts: number[]): number {
  let bits = 0;
  for (const left = [...counts]; left.length > 1; ) {
    left.sort((a, b) => b - a);
    const sum = left.pop()! + left.pop()!;
    bits += sum;
    left.push(sum);
  }
  return bits;
}

test("Huffman codes: the vector, optimal, complete, decodable, shorter than entropy plus one", () => {
  const { counts, totalBits } = VECTORS.huffman;
  const total = (c: number[]) => codeLengths(c).reduce((sum, l, i) => sum + l * c[i], 0);
  expect(total(counts)).toBe(totalBits);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 2, maxLength: 200 }), (c) => {
      const lengths = codeLengths(c);
      expect(lengths.reduce((sum, l) => sum + 2 ** -l, 0)).toBe(1);
      expect(total(c)).toBe(leastBits(c));
      const all = c.reduce((a, b) => a + b, 0);
      const entropy = c.reduce((sum, n) => sum - n * Math.log2(n / all), 0);
      expect(total(c)).toBeGreaterThan(entropy - 1e-6);
      expect(total(c)).toBeLessThan(entropy + all);
      const writer = createBitWriter();
      writeLengths(writer, lengths);
      const codes = canonicalCodes(lengths);
      const message = c.map((_, i) => (i * 7) % c.length);
      for (const symbol of message) writer.write(codes[symbol], lengths[symbol]);
      const reader = createBitReader(writer.finish());
      const next = symbolReader(readLengths(reader, c.length));
      expect(message.map(() => next(reader))).toEqual(message);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test("one symbol takes no bits; Fibonacci's counts no more than 30 a symbol", () => {
  expect(codeLengths([7])).toEqual([0]);
  expect(symbolReader([0])(createBitReader(new Uint8Array(0)))).toBe(0);
  const fibonacci = [1, 1];
  while (fibonacci.length < 45) fibonacci.push(fibonacci.at(-1)! + fibonacci.at(-2)!);
  const lengths = codeLengths(fibonacci);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(30);
  expect(lengths.reduce((sum, l) => sum + 2 ** -l, 0)).toBe(1);
});

test("code lengths that make no code are refused", () => {
  for (const lengths of [
    [1, 1, 1],
    [2, 2],
    [1, 2, 3],
    [0, 1],
  ]) {
    const writer = createBitWriter();
    writeLengths(writer, lengths);
    expect(() => readLengths(createBitReader(writer.finish()), lengths.length)).toThrow(Problem);
  }
});
