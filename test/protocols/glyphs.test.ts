import { beforeAll, describe, expect, test } from "vitest";
import type { JobResult } from "../../protocols/support/compare.ts";
import { trainMethod } from "../../protocols/support/compare.ts";
import { glyphComparison } from "../../protocols/support/glyph-comparison.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";

const METHODS = ["dense", "wgsef", "magnitude"] as const;

/**
 * P3 with seed 0; `npm run protocol -- glyphs` has all of it, and the latencies. Half of its epochs would do on some processors
 * and leave a filter too many on others, whose kernels round otherwise.
 */
describe("P3: digits, 6-10-20 of 16-32-64", () => {
  const found: Record<string, JobResult> = {};
  beforeAll(async () => {
    const comparison = glyphComparison({ methods: METHODS, seeds: [0] });
    for (const method of METHODS) found[method] = await trainMethod(comparison, method, 0);
  });

  test("WGSEF leaves exactly these by training alone, and nothing happens at the cut", () => {
    const { natural, kept, commitChange } = found.wgsef;
    expect(natural).toEqual({ conv1: 6, conv2: 10, fc1: 20 });
    expect(kept).toEqual(natural);
    expect(commitChange).toBeGreaterThanOrEqual(-0.02);
  });

  test("it ends at most 4 points below the dense network, with the parameters and MACs of the spec", () => {
    expect(found.wgsef.accuracy).toBeGreaterThanOrEqual(found.dense.accuracy - 0.04);
    const { parameters, macs } = accountModel(importModel(found.wgsef.shrunk)).total;
    expect([parameters, macs]).toEqual([4040, 51784]);
  });

  test("control: without a penalty nothing dies by itself, and the cut costs more than 20 points", () => {
    expect(found.magnitude.natural).toEqual({ conv1: 16, conv2: 32, fc1: 64 });
    expect(found.magnitude.commitChange).toBeLessThan(-0.2);
  });
});
