/**
 * Multi30k from English to German by transformers of width 64, Euclidean and hyperbolic, every method at the best rate of one
 * grid (first seed, by validation loss), that rate with all seeds. Every run is a job of its own and on record, so
 * that an interrupted protocol goes on, on another machine too. Options: --geometries euclidean,lorentz; --methods full,sst,lora,relora; --seeds 0,1,2;
 * --steps 3000; --parallel 1.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { RankMethod } from "../src/sparsity/spectral/rank-methods.ts";
import { bestRates } from "./support/best-rates.ts";
import { finishJob, inLines, keptResult, ownJob, runJobs } from "./support/jobs.ts";
import type { Mark } from "./support/marks.ts";
import { reportMarks } from "./support/marks.ts";
import type { PairsCorpus, PairsJob } from "./support/multi30k.ts";
import { makePairs } from "./support/multi30k.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";
import type { TranslationJob, TranslationResult } from "./support/translation-model.ts";
import { RANK, TRANSLATOR, trainTranslator } from "./support/translation-model.ts";

const FOLDER = join(ROOT, "runs/protocols/spectral-multi30k");
const CORPUS: PairsJob = { vocabulary: TRANSLATOR.vocabulary };
const RUNS = inLines(join(ROOT, "docs/results/runs/spectral-multi30k.jsonl"), {
  model: TRANSLATOR,
  rank: RANK,
});
type Geometry = TranslationJob["geometry"];

const own = ownJob<PairsJob | TranslationJob>();
if (own)
  finishJob(
    await ("vocabulary" in own
      ? makePairs(own)
      : trainTranslator(own, (await keptResult<PairsCorpus>(CORPUS, FOLDER))!)),
  );
else await compare();

async function compare(): Promise<void> {
  const { values } = parseArgs({
    options: {
      geometries: { type: "string", default: "euclidean,lorentz" },
      methods: { type: "string", default: "full,sst,lora,relora" },
      seeds: { type: "string", default: "0,1,2" },
      steps: { type: "string", default: "3000" },
      parallel: { type: "string", default: "1" },
    },
  });
  const geometries = values.geometries.split(",") as Geometry[];
  const methods = values.methods.split(",") as RankMethod[];
  const seeds = values.seeds.split(",").map(Number);
  const steps = Number(values.steps);
  await runJobs<PairsJob, PairsCorpus>([CORPUS], 1, FOLDER, () => {});
  const run = (jobs: readonly TranslationJob[]) =>
    runJobs<TranslationJob, TranslationResult>(
      jobs,
      Number(values.parallel),
      RUNS,
      ({ geometry, method, learningRate, seed }, r) =>
        console.log(
          `${geometry} ${method}, rate ${learningRate}, seed ${seed}: BLEU ${r.bleu?.toFixed(2) ?? "none, diverged"}, loss ${r.loss?.toFixed(3)}, ${r.seconds.toFixed(0)} s`,
        ),
    );
  const rowsOf = async (geometry: Geometry) => {
    const chosen = await bestRates(methods, async (wanted) =>
      (await run(wanted.map((w) => ({ geometry, ...w, seed: seeds[0], steps })))).map(
        (r) => r.loss ?? Number.POSITIVE_INFINITY,
      ),
    );
    const jobs = chosen.flatMap(({ method, learningRate }) =>
      seeds.map((seed) => ({ geometry, method, learningRate, seed, steps })),
    );
    const results = await run(jobs);
    return chosen.map(({ method, learningRate, tried }) => {
      const runs = results.filter((_, i) => jobs[i].method === method);
      return {
        geometry,
        method,
        learningRate,
        // JSON has no infinity.
        tried: tried.map((t) => ({
          learningRate: t.learningRate,
          loss: Number.isFinite(t.cost) ? t.cost : "diverged",
        })),
        bleu: summarize(runs.map((r) => r.bleu ?? 0)),
        mismatched: summarize(runs.map((r) => r.mismatched ?? 0)),
        samples: runs[0].samples,
        footprint: runs[0].footprint,
        seconds: summarize(runs.map((r) => r.seconds)),
      };
    });
  };
  const rows: Awaited<ReturnType<typeof rowsOf>> = [];
  for (const geometry of geometries) rows.push(...(await rowsOf(geometry)));
  const bleuOf = (geometry: Geometry, method: RankMethod) =>
    rows.find((r) => r.geometry === geometry && r.method === method)?.bleu.mean;
  const gaps = geometries.flatMap((geometry) => {
    const [full, sst] = [bleuOf(geometry, "full"), bleuOf(geometry, "sst")];
    const rivals = methods
      .filter((m) => ["lora", "dora", "relora", "low-rank"].includes(m))
      .map((m) => bleuOf(geometry, m)!);
    if (full === undefined || sst === undefined || rivals.length === 0) return [];
    const lowRank = Math.max(...rivals);
    const closed = full > lowRank && { closed: (sst - lowRank) / (full - lowRank) };
    return [{ geometry, full, lowRank, sst, ...closed }];
  });
  const marks: Mark[] = [
    ...gaps.map(({ geometry, full, lowRank, sst }) => ({
      claim: `${geometry}: SST reaches ${sst.toFixed(1)} BLEU, above the ${lowRank.toFixed(1)} of the best low-rank method (full rank: ${full.toFixed(1)})`,
      passed: sst > lowRank,
    })),
    {
      claim:
        "control: the same translations beside other sentences' references lose two thirds of their BLEU",
      passed: rows.every((r) => r.mismatched.mean < r.bleu.mean / 3),
    },
  ];
  console.log();
  reportMarks(marks);
  await writeResults(
    "spectral-multi30k",
    `npm run protocol -- spectral-multi30k --geometries ${geometries} --methods ${methods} --seeds ${values.seeds} --steps ${steps}`,
    { model: TRANSLATOR, rank: RANK, steps, seeds, rows, gaps },
  );
}
