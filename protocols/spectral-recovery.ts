/** sst.md P1: one matrix from another, by every method; draws the saddle of merged low-rank products and spectra over time. Option: --seeds 0,1,2. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as Plot from "@observablehq/plot";
import { plotSvg, svgFile } from "../src/runs/report/plot-svg.ts";
import { reportMarks } from "./support/marks.ts";
import type { Recovery, RecoveryOptions } from "./support/recovery.ts";
import { ITERATION, recover, STEPS } from "./support/recovery.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";

const descent = { optimizer: { kind: "sgd" }, learningRate: 0.1, warmup: 0 } as const;
const rows: Record<string, Omit<RecoveryOptions, "seed">> = {
  full: { method: "full" },
  LoRA: { method: "lora" },
  DoRA: { method: "dora" },
  "ReLoRA*": { method: "relora" },
  GaLore: { method: "galore" },
  "low rank": { method: "low-rank" },
  SST: { method: "sst" },
  "SST, uniform draws": { method: "sst", spectral: { sampler: "uniform" } },
  "SST, draws by σ alone": { method: "sst", spectral: { sampler: "sigma" } },
  "SST, one after the other": { method: "sst", spectral: { sampler: "sequential" } },
  "SST without new decompositions": { method: "sst", spectral: { decompose: false } },
  "SST, always the largest": { method: "sst", spectral: { sampler: "top" } },
  "SST, gradient descent, enhanced": { method: "sst", ...descent },
  "SST, gradient descent, default": { method: "sst", spectral: { gradient: "default" }, ...descent },
};

const { values } = parseArgs({ options: { seeds: { type: "string", default: "0,1,2" } } });
const seeds = values.seeds.split(",").map(Number);
const results: Record<string, Recovery[]> = {};
console.log("| method | distance at the end, each seed |\n|---|---|");
for (const [name, row] of Object.entries(rows)) {
  results[name] = [];
  for (const seed of seeds) results[name].push(await recover({ ...row, seed }));
  console.log(`| ${name} | ${results[name].map((r) => r.distance.toPrecision(4)).join(", ")} |`);
}

const all = (name: string, holds: (r: Recovery, i: number) => boolean) => results[name].every(holds);
/** Values at the first step after each switch or merge. */
const afterSwitch = (norms: readonly number[]) =>
  norms.filter((_, step) => step > 0 && step % ITERATION === 0);
console.log();
reportMarks([
  { claim: "SST ends below 3 % of LoRA's floor", passed: all("SST", (r) => r.distance < 0.03 * r.floor) },
  {
    claim: "LoRA ends within 0.1 % of the floor that its rank leaves it",
    passed: all("LoRA", (r) => Math.abs(r.distance / r.floor - 1) < 0.001),
  },
  {
    // The spec's 3 is 93 % of the floor that its matrices have; other seeds have other floors.
    claim: "control: always the largest singular values ends above 93 % of LoRA's floor",
    passed: all("SST, always the largest", (r) => r.distance > 0.93 * r.floor),
  },
  {
    claim: "with gradient descent the enhanced direction ends below half of what the default one does",
    passed: all(
      "SST, gradient descent, enhanced",
      (r, i) => r.distance < 0.5 * results["SST, gradient descent, default"][i].distance,
    ),
  },
  {
    claim: "after every merge ReLoRA*'s A has the derivative 0 exactly, B has not",
    passed: all(
      "ReLoRA*",
      (r) =>
        afterSwitch(r.right).every((v) => v === 0) &&
        afterSwitch(r.left.slice(0, 200)).every((v) => v > 1e-3),
    ),
  },
  {
    claim: "after every switch of the first 200 steps both of SST's vectors have directions",
    passed: all("SST", (r) =>
      [r.left, r.right].every((norms) => afterSwitch(norms.slice(0, 200)).every((v) => v > 1e-3)),
    ),
  },
]);

const shown = 80;
const curve = (label: string, color: string, norms: readonly number[]) => {
  const points = norms.slice(0, shown).map((y, x) => ({ x, y, label }));
  return [
    Plot.lineY(points, { x: "x", y: "y", stroke: color }),
    Plot.text(points.slice(-1), { x: "x", y: "y", text: "label", dx: 6, textAnchor: "start", fill: color }),
  ];
};
const { "ReLoRA*": relora, SST: sst } = results;
const draw = async (name: string, options: Plot.PlotOptions) =>
  await writeFile(join(ROOT, "docs", "figures", `${name}.svg`), svgFile(plotSvg(options)));
await draw("spectral-saddle", {
  width: 640,
  marginRight: 76,
  x: { label: "step; every 20 steps a merge or a switch" },
  y: { label: "norm of what a factor moves along", grid: true },
  marks: [
    Plot.ruleY([0]),
    ...curve("ReLoRA*, A", "var(--c1)", relora[0].right),
    ...curve("ReLoRA*, B", "var(--c2)", relora[0].left),
    ...curve("SST, U", "var(--c3)", sst[0].left),
    ...curve("SST, V", "var(--c4)", sst[0].right),
  ],
});

const panels = ["full", "SST", "SST, always the largest", "LoRA"];
/** Little happens in the second half. */
const half = STEPS / 2;
await draw("spectral-spectra", {
  width: 860,
  height: 300,
  fx: { domain: panels, label: null },
  x: { label: "step", ticks: [0, half / 2] },
  y: { label: "singular values of W; dots: of what it should become", grid: true, domain: [0, 3.5] },
  marks: panels.flatMap((fx) => {
    const { spectra, targetSpectrum } = results[fx][0];
    return [
      Plot.lineY(
        spectra
          .slice(0, half / ITERATION + 1)
          .flatMap((values, i) => values.map((y, z) => ({ fx, x: i * ITERATION, y, z }))),
        { fx: "fx", x: "x", y: "y", z: "z", stroke: "var(--c1)", strokeWidth: 1 },
      ),
      Plot.dot(
        targetSpectrum.map((y) => ({ fx, x: half, y })),
        { fx: "fx", x: "x", y: "y", r: 2.5, fill: "var(--c2)" },
      ),
    ];
  }),
});
await writeResults("spectral-recovery", `npm run protocol -- spectral-recovery --seeds ${values.seeds}`, {
  seeds,
  floor: summarize(results.full.map((r) => r.floor)),
  initial: summarize(results.full.map((r) => r.initial)),
  rows: Object.entries(results).map(([method, runs]) => ({
    method,
    distance: summarize(runs.map((r) => r.distance)),
  })),
  saddle: {
    "ReLoRA*": { A: afterSwitch(relora[0].right).slice(0, 5), B: afterSwitch(relora[0].left).slice(0, 5) },
    SST: { U: afterSwitch(sst[0].left).slice(0, 5), V: afterSwitch(sst[0].right).slice(0, 5) },
  },
});
