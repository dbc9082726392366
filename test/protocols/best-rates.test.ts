import { expect, test } from "vitest";
import { bestRates } from "../../protocols/support/best-rates.ts";

test("finds the best of all rates where costs have one valley, and runs none twice", async () => {
  // By exponent: the bottom of each method's valley; beyond .05 everything diverges.
  const bottoms = { low: -3.5, middle: -2, high: -1.2, off: -5 };
  const runs: string[] = [];
  const rows = await bestRates(Object.keys(bottoms) as (keyof typeof bottoms)[], async (wanted) =>
    wanted.map(({ method, learningRate }) => {
      runs.push(`${method} ${learningRate}`);
      return learningRate > 0.05
        ? Number.POSITIVE_INFINITY
        : Math.abs(Math.log10(learningRate) - bottoms[method]);
    }),
  );
  expect(rows.map((r) => [r.method, r.learningRate])).toEqual([
    ["low", 3e-4],
    ["middle", 1e-2],
    ["high", 3e-2],
    ["off", 3e-4],
  ]);
  expect(new Set(runs).size).toBe(runs.length);
  expect(rows[1].tried.map((t) => t.learningRate)).toEqual([3e-3, 1e-2, 3e-2]);
  expect(rows[2].tried.map((t) => t.learningRate)).toEqual([3e-3, 1e-2, 3e-2, 1e-1]);
});
