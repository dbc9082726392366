/**
 * How much the number of groups depends on λ (wgsef.md 6, P2, and 9.15): the student of 40 neurons with one λ throughout,
 * nothing frozen and nothing cut, by the convex envelope for several k and by group lasso. Draws
 * docs/figures/sensitivity.svg. Option: --seeds 0,1,2.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as Plot from "@observablehq/plot";
import { plotSvg } from "../src/runs/report/plot-svg.ts";
import { writeFigure } from "./support/figures.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, writeResults } from "./support/results.ts";
import type { StudentResult } from "./support/teacher-student.ts";
import { trainStudent } from "./support/teacher-student.ts";

const LAMBDAS = [0.003, 0.01, 0.03, 0.1, 0.3];
const CURVES = [
  { method: "wgsef-plain", k: 3 },
  { method: "wgsef-plain", k: 6 },
  { method: "wgsef-plain", k: 12 },
  { method: "group-lasso", k: 6 },
] as const;

interface Job {
  method: "wgsef-plain" | "group-lasso";
  k: number;
  lambda: number;
  seed: number;
}

/** Group lasso weighs λ with √12; over that, both have the same threshold where all groups are alike. */
const runOnce = ({ method, k, lambda, seed }: Job): Promise<StudentResult> =>
  trainStudent({
    seed,
    k,
    method: {
      penalty: method,
      warmup: 30 / 300,
      fixedLambda: method === "group-lasso" ? lambda / Math.sqrt(12) : lambda,
    },
  });

const own = ownJob<Job>();
if (own) finishJob(await runOnce(own));
else {
  const { values } = parseArgs({ options: { seeds: { type: "string", default: "0" } } });
  const seeds = values.seeds.split(",").map(Number);
  const jobs = CURVES.flatMap((curve) =>
    LAMBDAS.flatMap((lambda) => seeds.map((seed): Job => ({ ...curve, lambda, seed }))),
  );
  const found = await runJobs<Job, StudentResult>(
    jobs,
    1,
    join(ROOT, "runs", "protocols", "sensitivity"),
    ({ method, k, lambda, seed }, { neurons, nmse }) =>
      console.log(
        `${method}, k = ${k}, λ = ${lambda}, seed ${seed}: ${neurons} neurons, NMSE ${nmse.toPrecision(2)}`,
      ),
  );
  const rows = CURVES.flatMap((curve) =>
    LAMBDAS.map((lambda) => {
      const runs = found.filter(
        (_, i) => jobs[i].method === curve.method && jobs[i].k === curve.k && jobs[i].lambda === lambda,
      );
      return { ...curve, lambda, neurons: runs.map((r) => r.neurons), nmse: runs.map((r) => r.nmse) };
    }),
  );
  const exact = ({ k, neurons }: (typeof rows)[number]) => neurons.every((n) => n === k);
  const of = (method: Job["method"]) => rows.filter((r) => r.method === method);
  console.log();
  reportMarks([
    {
      claim: "at λ = 0.1 and at 0.3 the envelope leaves exactly k, for every k",
      passed: of("wgsef-plain").every((r) => r.lambda < 0.1 || exact(r)),
    },
    {
      claim: "control: no λ makes group lasso leave the same number as its neighbour does",
      passed: of("group-lasso").every(
        (r, i, all) => i === 0 || r.neurons.some((n, s) => n !== all[i - 1].neurons[s]),
      ),
    },
  ]);
  await writeFigure("sensitivity", drawing());
  await writeResults("sensitivity", `npm run protocol -- sensitivity --seeds ${values.seeds}`, {
    seeds,
    rows,
  });

  function drawing() {
    const points = rows.flatMap(({ method, k, lambda, neurons }) =>
      neurons.map((n) => ({ curve: labelOf(method, k), lambda, neurons: n })),
    );
    const means = rows.map(({ method, k, lambda, neurons }) => ({
      curve: labelOf(method, k),
      lambda,
      neurons: neurons.reduce((a, b) => a + b) / neurons.length,
    }));
    const curves = CURVES.map(({ method, k }) => labelOf(method, k));
    const stroke = (d: { curve: string }) => `var(--c${curves.indexOf(d.curve) + 1})`;
    return plotSvg({
      height: 320,
      marginRight: 90,
      marginBottom: 38,
      x: { type: "log", label: "λ", labelOffset: 34, ticks: LAMBDAS, tickFormat: String },
      y: { label: "neurons left of 40", grid: true, ticks: [3, 6, 12, 20, 30, 40] },
      marks: [
        Plot.lineY(means, { x: "lambda", y: "neurons", z: "curve", stroke }),
        Plot.dot(points, { x: "lambda", y: "neurons", fill: stroke, r: 3 }),
        Plot.text(
          means.filter(({ lambda }) => lambda === LAMBDAS.at(-1)),
          { x: "lambda", y: "neurons", text: "curve", textAnchor: "start", dx: 8, fill: stroke },
        ),
      ],
    });
  }
}

function labelOf(method: Job["method"], k: number): string {
  return method === "group-lasso" ? "group lasso" : `WGSEF, k = ${k}`;
}
