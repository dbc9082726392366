/**
 * turbovbi.md P1 and P1b: linear regression whose weights in use are clustered, with the right structure, without one and
 * with a wrong one. Options: --trials n, and --mixed n for the second part.
 */
import { parseArgs } from "node:util";
import { median } from "../src/runs/latency.ts";
import type { Variant } from "../src/sparsity/turbo-vbi/module-a.ts";
import { reportMarks } from "./support/marks.ts";
import { writeResults } from "./support/results.ts";
import type { Problem, Recovery, RegressionPrior, TrueSupport } from "./support/turbo/sparse-regression.ts";
import { clusteredProblem, recover, shuffled } from "./support/turbo/sparse-regression.ts";

const { values } = parseArgs({
  options: { trials: { type: "string", default: "40" }, mixed: { type: "string", default: "24" } },
});
const seedsTo = (n: string) => Array.from({ length: Number(n) }, (_, seed) => seed);

interface Cell {
  nmse: number;
  f1: number;
  trials: Recovery[];
}

function measure(problems: readonly Problem[], prior: RegressionPrior, variant: Variant): Cell {
  const trials = problems.map((p) => recover(p, prior, variant));
  return { nmse: median(trials.map((t) => t.nmse)), f1: median(trials.map((t) => t.f1)), trials };
}

const LAMBDA = 0.17;
const problems = seedsTo(values.trials).map((seed) => clusteredProblem(seed, 100, "segments"));
const disordered = problems.map((p, seed) => shuffled(p, seed));
const PRIORS: Record<string, [RegressionPrior, readonly Problem[]]> = {
  "i.i.d.": [{ kind: "iid", lambda: LAMBDA }, problems],
  chain: [{ kind: "chain", lambda: LAMBDA }, problems],
  "chain, learned": [{ kind: "chain", lambda: LAMBDA, learn: true }, problems],
  "chain, shuffled": [{ kind: "chain", lambda: LAMBDA }, disordered],
};
const recovery = Object.entries(PRIORS).map(([prior, [choice, data]]) => ({
  prior,
  structured: measure(data, choice, "structured"),
  meanField: measure(data, choice, "mean-field"),
}));
const show = ({ nmse, f1 }: Cell) => `${nmse.toFixed(4)} / ${f1.toFixed(3)}`;
console.log("| prior | structured: median NMSE / F1 | mean-field |\n|---|---|---|");
for (const r of recovery) console.log(`| ${r.prior} | ${show(r.structured)} | ${show(r.meanField)} |`);

const SUPPORTS: Record<TrueSupport, RegressionPrior["kind"]> = {
  anywhere: "iid",
  segments: "chain",
  blocks: "group",
};
const KINDS = ["iid", "chain", "group"] as const;
console.log(`\n| truth | ${KINDS.join(" | ")} |\n|---|---|---|---|`);
const mixed = (Object.keys(SUPPORTS) as TrueSupport[]).map((truth) => {
  const own = seedsTo(values.mixed).map((seed) => clusteredProblem(seed, 96, truth));
  const cells = KINDS.map((kind) => measure(own, { kind, lambda: 0.19 }, "structured"));
  console.log(`| ${truth} | ${cells.map(show).join(" | ")} |`);
  return { truth, ...Object.fromEntries(KINDS.map((kind, i) => [kind, cells[i]])) } as {
    truth: TrueSupport;
  } & Record<(typeof KINDS)[number], Cell>;
});

const [iid, chain, , control] = recovery.map((r) => r.structured);
const wins = chain.trials.filter((t, i) => t.nmse < iid.trials[i].nmse).length;
console.log();
reportMarks([
  {
    claim: "the chain's error is at most .8 of that of independent bits",
    passed: chain.nmse <= 0.8 * iid.nmse,
  },
  { claim: "its F1 is at least .08 higher", passed: chain.f1 >= iid.f1 + 0.08 },
  { claim: "it is better in at least 80 % of the trials", passed: wins >= 0.8 * problems.length },
  {
    claim:
      "control: with shuffled coordinates its error is 1.3 times as large, and no better than independent bits",
    passed: control.nmse >= 1.3 * chain.nmse && control.nmse >= iid.nmse,
  },
  ...mixed.map((row) => ({
    claim: `weights ${row.truth}: the prior of that kind is the best`,
    passed: KINDS.every((kind) => row[SUPPORTS[row.truth]].nmse <= row[kind].nmse),
  })),
]);
await writeResults("turbo-regression", "npm run protocol -- turbo-regression", {
  recovery,
  mixed,
  chainWins: wins / problems.length,
});
