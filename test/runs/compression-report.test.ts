import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { resultTable } from "../../src/cli/compression-table.ts";
import type { CompressResult } from "../../src/runs/compress.node.ts";
import type { TimedPattern } from "../../src/runs/pattern-rows.ts";
import { compressionReport } from "../../src/runs/report/compression-report.node.ts";
import { temporaryFolder } from "./support.ts";

const pattern = (name: string, weights: number, nonZeros: number): Omit<TimedPattern, "latencyMs"> => ({
  ...{ name, weights, nonZeros, density: nonZeros / weights, runs: 5, runsDown: 5, meanRun: nonZeros / 5 },
  ...{ lines: 10, columns: weights / 10, liveLines: 4, liveColumns: 6, macs: weights, usedMacs: nonZeros },
  ...{ indexBits: { runs: 30, csr: 60, bitmap: weights }, valueBits: 32 * nonZeros, totalBits: 99 },
});

/** Twenty of two hundred weights are left of posteriors. */
const byPosteriors: CompressResult = {
  ...{ model: "net.onnx", data: "glyphs", method: "turbo-vbi", groups: "weight", output: "net-small.onnx" },
  ...{ requested: null, budget: null, kept: { a: 8, b: 12 }, natural: { a: 8, b: 12 }, seconds: 3 },
  commit: { before: 0.91, after: 0.83 },
  patterns: [
    { ...pattern("a", 120, 8), latencyMs: { dense: 0.5, sparse: 0.125 } },
    { ...pattern("b", 80, 12), latencyMs: null },
  ],
  packedBytes: 500,
  accuracy: { before: 0.95, after: 0.94 },
  validation: { before: 0.93, after: 0.92 },
  parameters: { before: 210, after: 190 },
  nonZeros: { before: 210, after: 30 },
  bytes: { before: 10_000, after: 9000 },
  macs: { before: 1000, after: 900 },
  usedMacs: { before: 1000, after: 125 },
  activationBytes: { before: 64, after: 64 },
  latencyMs: {
    before: { b1: 0.2, b64: 3 },
    after: { b1: 0.19, b64: 2 },
    masked: { b1: 0.2, b64: 3 },
  },
  skippingZeros: {
    b1: { ms: 0.1, skipped: true, why: "sparse everywhere 0.1 ms against dense 0.2 ms" },
    b64: { ms: 0.5, skipped: true, why: "sparse everywhere 0.5 ms against dense 2 ms" },
  },
  ...{ columns: [], alignedTo: 1, outputError: 1e-7 },
};
const byGroups: CompressResult = {
  ...byPosteriors,
  ...{ method: "wgsef", groups: "filter", requested: { a: 3 }, kept: { a: 3 }, natural: { a: 4 } },
  ...{ patterns: null, packedBytes: null, skippingZeros: null, validation: null },
};

async function pageOf(result: CompressResult) {
  const sparse = temporaryFolder();
  mkdirSync(sparse, { recursive: true });
  const metrics = { accuracy: 0.9, "density/a": 0.5, "groups/a": 4 };
  writeFileSync(
    join(sparse, "metrics.jsonl"),
    [0, 1]
      .map(
        (epoch) =>
          `${JSON.stringify({ epoch, step: epoch, loss: 1, learningRate: 1, seconds: 1, metrics })}\n`,
      )
      .join(""),
  );
  const { document } = parseHTML(await compressionReport(result, { sparse }));
  const texts = (selector: string) =>
    [...document.querySelectorAll(selector)].map((e) => e.textContent!.trim());
  return { texts, all: document.body.textContent! };
}

test("of posteriors the page leads with what zeros turn into: a packed file, skipped operations", async () => {
  const { texts, all } = await pageOf(byPosteriors);
  expect(texts("header p")).toEqual(["Method turbo-vbi: 20 of 200 weights are left, 10.00 %"]);
  expect(texts("dt").map((label, i) => `${label} ${texts("dd")[i]}`)).toEqual([
    "test accuracy 95.00 % → 94.00 %",
    "fewer operations, zeros skipped 8.00×",
    "fewer bytes, packed 20.0×",
    "faster at batch 64, zeros skipped 6.00×",
  ]);
  expect(all).toContain("91.00 % right before the other weights became zero and 83.00 % right after");
  expect(all).toContain("Zeros are skipped by createSparseSession of the library.");
});

test("every layer of posteriors has its operations and its latency, on the page and in the terminal", async () => {
  const { texts } = await pageOf(byPosteriors);
  const row = ["120", "8", "0.500 ms", "0.125 ms"];
  const cells = texts("td");
  const first = cells.indexOf("a");
  expect(cells.slice(first + 12, first + 16)).toEqual(row);
  const lines = resultTable(byPosteriors).split("\n");
  expect(lines.find((line) => line.startsWith("a "))).toMatch(/ 120 +8 +0\.500 ms +0\.125 ms$/);
  // A layer without a sparse kernel was not timed.
  expect(lines.find((line) => line.startsWith("b "))).toMatch(/ 80 +12 +– +–$/);
});

test("where kernels that skip zeros are no faster, the page does not count on them", async () => {
  const b64 = { ms: 1.9, skipped: false, why: "dense 2 ms against sparse everywhere 4 ms" };
  const { texts } = await pageOf({
    ...byPosteriors,
    skippingZeros: { ...byPosteriors.skippingZeros!, b64 },
  });
  expect(texts("dt")).toContain("faster at batch 64");
  expect(texts("dd")).toContain("1.50×");
  expect(texts("td")).toContain("zeros skipped, 64 (slower, so not done)");
  expect(texts("td")).toContain("zeros skipped, 1");
});

test("a network that has become slower is not called faster", async () => {
  const latencyMs = { ...byGroups.latencyMs, after: { b1: 0.2, b64: 4.5 } };
  const { texts } = await pageOf({ ...byGroups, latencyMs });
  expect([texts("dt")[3], texts("dd")[3]]).toEqual(["slower at batch 64", "1.50×"]);
});

test("of groups it leads with the shrunk file", async () => {
  const { texts, all } = await pageOf(byGroups);
  expect(texts("header p")).toEqual(["Method wgsef: a 3"]);
  expect(texts("dt").slice(1)).toEqual(["fewer operations", "fewer bytes", "faster at batch 64"]);
  expect(texts("dd").slice(1)).toEqual(["1.11×", "1.11×", "1.50×"]);
  expect(all).toContain("91.00 % right before that and 83.00 % right after");
  expect(all).not.toContain("packed");
});

test.each([
  [
    "posteriors",
    byPosteriors,
    [
      "validation accuracy",
      "that are not zero",
      "packed (filigree pack)",
      "by weights that are not zero",
      "zeros skipped, 1",
      "zeros skipped, 64",
    ],
  ],
  ["groups", byGroups, []],
])("of %s page and terminal show the same figures", async (_, result, own) => {
  const { texts } = await pageOf(result);
  const cells = texts("table:first-of-type td");
  const lines = resultTable(result)
    .split("\n\n")[0]
    .split("\n")
    .slice(2)
    .map((line) => line.trim().split(/ {2,}/));
  expect(lines.length).toBe(8 + own.length);
  lines.forEach((line, i) => expect(cells.slice(4 * i, 4 * i + 4)).toEqual(line));
  const names = lines.map(([name]) => name);
  for (const name of own) expect(names).toContain(name);
});
