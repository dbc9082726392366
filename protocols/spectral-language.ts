/** sst.md P2 and P6: a small language model at a twelfth of its rank, every method at the best of three rates, then truncated. Option: --seeds 0,1,2. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";
import type { LanguageJob, LanguageResult } from "./support/successors.ts";
import { FLOOR, SHARES, trainLanguage } from "./support/successors.ts";

const RATES = [3e-3, 1e-2, 3e-2];
const STEPS = 2000;
const METHODS = ["full", "sst", "lora", "dora", "relora", "galore", "low-rank"] as const;
/** Between the best of these and full rank lies the gap. */
const ADAPTERS = ["lora", "dora", "relora"] as const;
/** Variants of SST at the middle rate. The first is the control. */
const VARIANTS: Record<string, LanguageJob["spectral"]> = {
  "always the largest": { sampler: "top" },
  "uniform draws": { sampler: "uniform" },
  "no new decompositions": { decompose: false },
  "default direction": { gradient: "default" },
};

const own = ownJob<LanguageJob>();
if (own) finishJob(await trainLanguage(own));
else await compare();

async function compare(): Promise<void> {
  const { values } = parseArgs({
    options: { seeds: { type: "string", default: "0,1,2" }, parallel: { type: "string", default: "1" } },
  });
  const seeds = values.seeds.split(",").map(Number);
  const truncated = new Set<string>(["full", "sst"]);
  const jobs: LanguageJob[] = [
    ...METHODS.flatMap((method) =>
      RATES.flatMap((learningRate) =>
        seeds.map((seed) => ({ method, learningRate, seed, steps: STEPS, truncate: truncated.has(method) })),
      ),
    ),
    ...Object.values(VARIANTS).flatMap((spectral) =>
      seeds.map((seed) => ({ method: "sst" as const, learningRate: 1e-2, seed, steps: STEPS, spectral })),
    ),
  ];
  const results = await runJobs<LanguageJob, LanguageResult>(
    jobs,
    Number(values.parallel),
    join(ROOT, "runs", "protocols"),
    ({ method, learningRate, seed, spectral }, r) =>
      console.log(
        `${method} ${JSON.stringify(spectral ?? {})} rate ${learningRate} seed ${seed}: ${r.perplexity.toFixed(3)}, ${r.seconds.toFixed(0)} s`,
      ),
  );
  const found = (pick: (job: LanguageJob) => boolean) => results.filter((_, i) => pick(jobs[i]));
  const mean = (runs: readonly LanguageResult[]) => summarize(runs.map((r) => r.perplexity)).mean;
  const rows = METHODS.map((method) => {
    const rates = RATES.map((learningRate) => {
      const runs = found((j) => j.method === method && j.learningRate === learningRate && !j.spectral);
      return { learningRate, runs };
    });
    const best = rates.reduce((a, b) => (mean(b.runs) < mean(a.runs) ? b : a));
    return {
      method,
      footprint: best.runs[0].footprint,
      seconds: summarize(best.runs.map((r) => r.seconds)),
      learningRate: best.learningRate,
      perplexity: summarize(best.runs.map((r) => r.perplexity)),
      byRate: rates.map(({ learningRate, runs }) => ({
        learningRate,
        perplexity: summarize(runs.map((r) => r.perplexity)),
      })),
      runs: best.runs,
    };
  });
  const row = (method: (typeof METHODS)[number]) => rows.find((r) => r.method === method)!;
  const variants = Object.entries(VARIANTS).map(([variant, spectral]) => ({
    variant,
    perplexity: summarize(
      found((j) => JSON.stringify(j.spectral) === JSON.stringify(spectral)).map((r) => r.perplexity),
    ),
  }));
  const [full, sst] = [row("full").perplexity.mean, row("sst").perplexity.mean];
  const bestLowRank = Math.min(...ADAPTERS.map((m) => row(m).perplexity.mean));
  const gapClosed = (bestLowRank - sst) / (bestLowRank - full);
  const atMiddle = (method: (typeof METHODS)[number]) => row(method).byRate[1].perplexity.mean;
  const middleBest = Math.min(...ADAPTERS.map(atMiddle));
  const gapClosedAtOneRate = (middleBest - atMiddle("sst")) / (middleBest - atMiddle("full"));
  const truncation = (["full", "sst"] as const).map((method) => ({
    method,
    shares: SHARES.map((share, i) => ({
      share,
      kept: summarize(row(method).runs.map((r) => r.truncation[i].kept)),
      perplexity: summarize(row(method).runs.map((r) => r.truncation[i].perplexity)),
    })),
  }));
  console.log(`\ngap closed: ${(100 * gapClosed).toFixed(1)} %`);
  reportMarks([
    {
      claim: "no method is below the entropy of the text",
      passed: results.every((r) => r.perplexity >= 0.99 * FLOOR),
    },
    {
      claim: "full < SST < the best of LoRA, DoRA and ReLoRA*, each at its best rate",
      passed: full < sst && sst < bestLowRank,
    },
    { claim: "SST closes at least 40 % of the gap", passed: gapClosed >= 0.4 },
    {
      claim: "SST trains at most a quarter of the numbers, with as small a share of Adam's moments",
      passed: row("sst").footprint.trainable <= row("full").footprint.trainable / 4,
    },
    {
      claim: "control: always the largest singular values is worse at the same rate",
      passed: variants[0].perplexity.mean > atMiddle("sst"),
    },
    {
      claim: "99 % of the sum of singular values costs the full-rank network less than 3 % of perplexity",
      passed: truncation[0].shares[1].perplexity.mean < 1.03 * truncation[0].shares[0].perplexity.mean,
    },
    {
      claim: "with all singular values the perplexity is that of the network",
      passed: rows
        .flatMap((r) => r.runs)
        .every(
          (r) => r.truncation.length === 0 || Math.abs(r.truncation[0].perplexity / r.perplexity - 1) < 1e-5,
        ),
    },
  ]);
  await writeResults("spectral-language", `npm run protocol -- spectral-language --seeds ${values.seeds}`, {
    seeds,
    floor: FLOOR,
    gapClosed,
    gapClosedAtOneRate,
    rows: rows.map(({ runs, ...r }) => r),
    variants,
    truncation,
  });
}
