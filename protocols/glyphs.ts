/**
 * wgsef.md P3: synthetic digits, keep 6-10-20 of 16-32-64; every method beside its controls. Options: --methods a,b runs
 * these alone and puts their rows in the place of the earlier ones; --seeds 0,1 runs less, and writes no results.
 */
import { parseArgs } from "node:util";
import { METHOD_NAMES, methodOf } from "../src/runs/methods.ts";
import type { Method, MethodResult } from "./support/compare.ts";
import { compareMethods, comparisonTable, withEarlierRows } from "./support/compare.ts";
import { glyphComparison } from "./support/glyph-comparison.ts";
import { reportMarks } from "./support/marks.ts";
import { writeResults } from "./support/results.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, methods: { type: "string" }, job: { type: "string" } },
});
/** The network has no batch norm, so there are no scales to prune by. */
const METHODS: readonly Method[] = [
  "dense",
  ...METHOD_NAMES.filter((name) => !methodOf(name).onScales && !methodOf(name).reference),
  "scratch",
];
const comparison = glyphComparison({
  methods: METHODS.filter((method) => !values.methods || values.methods.split(",").includes(method)),
  seeds: (values.seeds ?? "0,1,2").split(",").map(Number),
});
const found = await compareMethods(comparison);
if (found) {
  const result =
    comparison.methods.length < METHODS.length && !values.seeds
      ? await withEarlierRows("glyphs", found)
      : found;
  console.log(`\n${comparisonTable(result)}\n`);
  const of = (method: Method) => result.methods.find((m) => m.method === method);
  const [wgsef, dense, magnitude] = [of("wgsef"), of("dense"), of("magnitude")];
  if (wgsef && dense && magnitude) mark(wgsef, dense, magnitude, result.latencyMs["batch 64"]);
  const { data: _, build: __, ...settings } = comparison;
  if (!values.seeds)
    await writeResults("glyphs", "npm run protocol -- glyphs", {
      settings: { ...settings, methods: METHODS },
      ...result,
    });
}

/** The pass marks of P3. */
function mark(
  wgsef: MethodResult,
  dense: MethodResult,
  magnitude: MethodResult,
  { dense: before, shrunk, aligned, session }: Record<string, number>,
): void {
  const exact = (counts: Record<string, number>) =>
    Object.entries(comparison.keep).every(([name, k]) => counts[name] === k);
  const faster = before / Math.min(shrunk, aligned, session);
  reportMarks([
    {
      claim: "wgsef leaves exactly 6-10-20 by training alone, on every seed",
      passed: wgsef.natural.every(exact) && wgsef.kept.every(exact),
    },
    {
      claim: "its cut costs at most 2 points, on every seed",
      passed: wgsef.commitChange.every((v) => v >= -0.02),
    },
    {
      claim: "it is at most 4 points below the dense network, on every seed",
      passed: wgsef.accuracy.values.every((v, i) => v >= dense.accuracy.values[i] - 0.04),
    },
    {
      claim: "control: without a penalty the cut costs more than 20 points, on every seed",
      passed: magnitude.commitChange.every((v) => v < -0.2),
    },
    { claim: `at batch 64 it is ${faster.toFixed(2)}× as fast, at least 3×`, passed: faster >= 3 },
  ]);
}
