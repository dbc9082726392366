import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { random } from "../../src/random.ts";
import { eliasGammaBits, patternStatistics } from "../../src/sparsity/runs.ts";

const VECTORS = JSON.parse(readFileSync(new URL("../vectors/turbovbi.json", import.meta.url), "utf8"));

test("runs and index bits of the 3×12 mask", () => {
  const { mask, nnz, runs, runIndexBits, csrIndexBits, bitmapBits } = VECTORS.storage;
  expect(patternStatistics({ lines: 3, columns: 12, mask: mask.flat() })).toMatchObject({
    nonZeros: nnz,
    runs,
    runsDown: 10,
    liveLines: 2,
    liveColumns: 9,
    indexBits: { runs: runIndexBits, csr: csrIndexBits, bitmap: bitmapBits },
  });
});

test("Elias-γ lengths", () => {
  for (const [n, bits] of Object.entries(VECTORS.storage.eliasGammaBits))
    expect(eliasGammaBits(Number(n))).toBe(bits);
});

test("a random mask has p + (n − 1)p(1 − p) runs a line, both ways on average", () => {
  const { n, p, runsPerLine } = VECTORS.expected_runs.example;
  const rng = random(1);
  const lines = 2000;
  const mask = Uint8Array.from({ length: lines * n }, () => Number(rng.uniform() < p));
  const { runs, runsDown } = patternStatistics({ lines, columns: n, mask });
  expect(Math.abs(runs / lines - runsPerLine)).toBeLessThan(0.2);
  expect(Math.abs(runsDown / n - (p + (lines - 1) * p * (1 - p)))).toBeLessThan(2);
});

test("nothing and everything", () => {
  expect(patternStatistics({ lines: 2, columns: 3, mask: new Uint8Array(6) })).toMatchObject({
    runs: 0,
    liveColumns: 0,
    indexBits: { runs: 2 },
  });
  expect(patternStatistics({ lines: 2, columns: 3, mask: new Uint8Array(6).fill(1) })).toMatchObject({
    runs: 2,
    runsDown: 3,
    indexBits: { runs: 2 * (3 + 1 + 3) },
  });
});
