/**
 * wgsef.md P2: a student of 40 ReLU neurons learns a teacher of 6, by every method and optimiser, three seeds. Options:
 * --methods a,b runs these rows alone and puts them in the place of the earlier ones; --seeds 0,1 runs less, and writes
 * no results.
 */
import { parseArgs } from "node:util";
import { METHOD_NAMES, methodOf } from "../src/runs/methods.ts";
import { reportMarks } from "./support/marks.ts";
import type { Summary } from "./support/results.ts";
import { earlierResults, summarize, writeResults } from "./support/results.ts";
import type { StudentOptions, StudentResult } from "./support/teacher-student.ts";
import { LAMBDA, trainStudent } from "./support/teacher-student.ts";

type Row = Omit<StudentOptions, "seed">;

/** Constant, as HSPG has it; λ of the spec's row. */
const halfSpace = { lambdaStart: 0.02, lambdaEnd: 0.02 };
/** Group lasso weighs λ with √12; over that, its threshold is the λ of the others, as in the reference. */
const onGroups = { lambdaStart: LAMBDA.start / Math.sqrt(12), lambdaEnd: LAMBDA.end / Math.sqrt(12) };
/** ℓ1 on 12 weights a neuron is several times its norm, and needs less. */
const onWeights = { lambdaStart: 0.001, lambdaEnd: 0.1 };
/** Range of λ where it is not the envelope's. */
const RANGES: Partial<Record<(typeof METHOD_NAMES)[number], object>> = {
  "wgsef-hspg": halfSpace,
  hspg: halfSpace,
  adahspg: halfSpace,
  "group-lasso": onGroups,
  l1: onWeights,
  "sparse-group-lasso": onWeights,
};

const rows: Record<string, Row> = {
  ...Object.fromEntries(
    METHOD_NAMES.filter((name) => !methodOf(name).onScales && !methodOf(name).reference).map((name) => {
      const { lambdaStart: _, lambdaEnd: __, ...options } = methodOf(name).options;
      return [name, { k: 6, method: { ...options, ...RANGES[name] } }];
    }),
  ),
  "wgsef, ProxSVRG": { k: 6, method: { varianceReduction: true } },
  "wgsef-plain, ProxSVRG": { k: 6, method: { penalty: "wgsef-plain", varianceReduction: true } },
  "wgsef, Adam, block metric": { k: 6, adam: true },
  "wgsef-plain, Adam, metric of weights": {
    k: 6,
    adam: true,
    method: { penalty: "wgsef-plain", metric: "weight" },
  },
  "group-lasso, Adam, block metric": { k: 6, adam: true, method: { penalty: "group-lasso", ...onGroups } },
  "magnitude, Adam": { k: 6, adam: true, method: { penalty: "none" } },
  "wgsef, k = 12": { k: 12 },
  "wgsef-plain, k = 12": { k: 12, method: { penalty: "wgsef-plain" } },
  "wgsef, k = 3": { k: 3 },
  "wgsef-plain, k = 3": { k: 3, method: { penalty: "wgsef-plain" } },
  "6 neurons from scratch": { hidden: 6 },
  "dense, 40 neurons": {},
};

/** A row with what came of it on every seed. */
interface Found {
  method: string;
  nmse: Summary;
  neurons: number[];
  natural: number[];
  nmseAfterCut: (number | null)[];
}

const { values } = parseArgs({ options: { seeds: { type: "string" }, methods: { type: "string" } } });
const seeds = (values.seeds ?? "0,1,2").split(",").map(Number);
const wanted = values.methods?.split(",");
const earlier =
  wanted && !values.seeds
    ? (await earlierResults<{ methods: Found[] }>("teacher-student"))?.methods
    : undefined;
const found = new Map<string, Found>(earlier?.map((row) => [row.method, row]));
console.log(
  "| method | NMSE, each seed | neurons | left by training | NMSE right after the cut |\n|---|---|---|---|---|",
);
for (const [method, row] of Object.entries(rows)) {
  if (wanted && !wanted.includes(method)) continue;
  const runs: StudentResult[] = [];
  for (const seed of seeds) runs.push(await trainStudent({ ...row, seed }));
  found.set(method, {
    method,
    nmse: summarize(runs.map((r) => r.nmse)),
    neurons: runs.map((r) => r.neurons),
    natural: runs.map((r) => r.natural),
    nmseAfterCut: runs.map((r) => (Number.isNaN(r.nmseAfterCut) ? null : r.nmseAfterCut)),
  });
  const list = (pick: (r: StudentResult) => string | number) => runs.map(pick).join(", ");
  console.log(
    `| ${method} | ${list((r) => r.nmse.toPrecision(2))} | ${list((r) => r.neurons)} | ${list((r) => r.natural)} | ${list((r) => (Number.isNaN(r.nmseAfterCut) ? "–" : r.nmseAfterCut.toPrecision(2)))} |`,
  );
}

const complete = Object.keys(rows).every((name) => found.has(name));
if (complete) mark((name) => found.get(name)!);
if (complete && !values.seeds)
  await writeResults("teacher-student", "npm run protocol -- teacher-student", {
    seeds,
    methods: Object.keys(rows).map((name) => found.get(name)),
  });

/** The pass marks of P2. */
function mark(of: (name: string) => Found): void {
  const [wgsef, magnitude] = [of("wgsef"), of("magnitude")];
  console.log();
  reportMarks([
    ...([3, 6, 12] as const).flatMap((k) =>
      ["wgsef", "wgsef-plain"].map((method) => {
        const { neurons, natural } = of(k === 6 ? method : `${method}, k = ${k}`);
        return {
          claim: `${method} leaves exactly ${k} neurons by training alone, on every seed`,
          passed: [...neurons, ...natural].every((n) => n === k),
        };
      }),
    ),
    {
      claim: "with 6 neurons it is better than magnitude pruning, on every seed",
      passed: wgsef.nmse.values.every((e, i) => e < magnitude.nmse.values[i]),
    },
    {
      claim: "control: 3 neurons are too few for a teacher of 6",
      passed: of("wgsef, k = 3").nmse.values.every((e, i) => e > 3 * wgsef.nmse.values[i]),
    },
    {
      claim: "control: without a penalty all 40 are left, and the cut ruins the fit",
      passed: magnitude.natural.every((n, i) => {
        const afterCut = magnitude.nmseAfterCut[i];
        return n === 40 && afterCut !== null && afterCut > 5 * magnitude.nmse.values[i];
      }),
    },
  ]);
}
