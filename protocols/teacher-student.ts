/**
 * wgsef.md P2: a student of 40 ReLU neurons learns a teacher of 6, by every method and optimiser, three seeds. Option:
 * --seeds 0,1.
 */
import { parseArgs } from "node:util";
import { METHOD_NAMES, methodOf } from "../src/runs/methods.ts";
import { reportMarks } from "./support/marks.ts";
import { summarize, writeResults } from "./support/results.ts";
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
    method: { penalty: "wgsef-plain", adam: { metric: "weight" } },
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

const { values } = parseArgs({ options: { seeds: { type: "string", default: "0,1,2" } } });
const seeds = values.seeds.split(",").map(Number);
const results: Record<string, StudentResult[]> = {};
console.log(
  "| method | NMSE, each seed | neurons | left by training | NMSE right after the cut |\n|---|---|---|---|---|",
);
for (const [name, row] of Object.entries(rows)) {
  results[name] = [];
  for (const seed of seeds) results[name].push(await trainStudent({ ...row, seed }));
  const list = (pick: (r: StudentResult) => string | number) => results[name].map(pick).join(", ");
  console.log(
    `| ${name} | ${list((r) => r.nmse.toPrecision(2))} | ${list((r) => r.neurons)} | ${list((r) => r.natural)} | ${list((r) => (Number.isNaN(r.nmseAfterCut) ? "–" : r.nmseAfterCut.toPrecision(2)))} |`,
  );
}

const all = (name: string, holds: (r: StudentResult, i: number) => boolean) => results[name].every(holds);
console.log();
reportMarks([
  ...([3, 6, 12] as const).flatMap((k) =>
    ["wgsef", "wgsef-plain"].map((method) => ({
      claim: `${method} leaves exactly ${k} neurons by training alone, on every seed`,
      passed: all(
        k === 6 ? method : `${method}, k = ${k}`,
        (r) => r.neurons === k && r.natural === k && r.forced === 0,
      ),
    })),
  ),
  {
    claim: "with 6 neurons it is better than magnitude pruning, on every seed",
    passed: all("wgsef", (r, i) => r.nmse < results.magnitude[i].nmse),
  },
  {
    claim: "control: 3 neurons are too few for a teacher of 6",
    passed: all("wgsef, k = 3", (r, i) => r.nmse > 3 * results.wgsef[i].nmse),
  },
  {
    claim: "control: without a penalty all 40 are left, and the cut ruins the fit",
    passed: all("magnitude", (r) => r.natural === 40 && r.nmseAfterCut > 5 * r.nmse),
  },
]);
await writeResults("teacher-student", `npm run protocol -- teacher-student --seeds ${values.seeds}`, {
  seeds,
  methods: Object.entries(results).map(([method, runs]) => ({
    method,
    nmse: summarize(runs.map((r) => r.nmse)),
    neurons: runs.map((r) => r.neurons),
    natural: runs.map((r) => r.natural),
    nmseAfterCut: runs.map((r) => (Number.isNaN(r.nmseAfterCut) ? null : r.nmseAfterCut)),
  })),
});
