/** sst.md P5: a toy translation by Euclidean and hyperbolic transformers, every method at the best of two rates. Option: --seeds 0,1,2. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";
import type { TranslationJob, TranslationResult } from "./support/toy-translation.ts";
import { translate } from "./support/toy-translation.ts";

const GEOMETRIES = [
  { geometry: "euclidean", steps: 600 },
  { geometry: "lorentz", steps: 1500 },
] as const;
const RATES = {
  full: [3e-3, 1e-2],
  sst: [1e-2, 2e-2],
  lora: [1e-2, 2e-2],
  relora: [3e-3, 1e-2],
} as const;
type Method = keyof typeof RATES;
const METHODS = Object.keys(RATES) as Method[];

const own = ownJob<TranslationJob>();
if (own) finishJob(await translate(own));
else await compare();

async function compare(): Promise<void> {
  const { values } = parseArgs({
    options: { seeds: { type: "string", default: "0,1,2" }, parallel: { type: "string", default: "1" } },
  });
  const seeds = values.seeds.split(",").map(Number);
  const jobs: TranslationJob[] = GEOMETRIES.flatMap((g) => [
    ...METHODS.flatMap((method) =>
      RATES[method].flatMap((learningRate) => seeds.map((seed) => ({ ...g, method, learningRate, seed }))),
    ),
    // The control: hardly any training.
    ...seeds.map((seed) => ({ ...g, method: "full" as const, learningRate: 1e-2, seed, steps: 50 })),
  ]);
  const results = await runJobs<TranslationJob, TranslationResult>(
    jobs,
    Number(values.parallel),
    join(ROOT, "runs", "protocols"),
    ({ geometry, method, learningRate, seed, steps }, r) =>
      console.log(
        `${geometry} ${method} rate ${learningRate} seed ${seed}, ${steps} steps: BLEU ${r.bleu.toFixed(1)}, ${r.seconds.toFixed(0)} s`,
      ),
  );
  const of = (pick: (job: TranslationJob) => boolean) => results.filter((_, i) => pick(jobs[i]));
  const rows = GEOMETRIES.flatMap(({ geometry, steps }) =>
    METHODS.map((method) => {
      const byRate = RATES[method].map((learningRate) => {
        const runs = of(
          (j) =>
            j.geometry === geometry &&
            j.method === method &&
            j.learningRate === learningRate &&
            j.steps === steps,
        );
        return { learningRate, bleu: summarize(runs.map((r) => r.bleu)), trainable: runs[0].trainable };
      });
      const best = byRate.reduce((a, b) => (b.bleu.mean > a.bleu.mean ? b : a));
      return { geometry, steps, method, ...best, byRate };
    }),
  );
  const controls = GEOMETRIES.map(({ geometry }) => ({
    geometry,
    bleu: summarize(of((j) => j.geometry === geometry && j.steps === 50).map((r) => r.bleu)),
  }));
  const row = (geometry: string, method: Method) =>
    rows.find((r) => r.geometry === geometry && r.method === method)!;
  reportMarks(
    GEOMETRIES.flatMap(({ geometry }) => [
      {
        claim: `${geometry}: SST reaches 95 BLEU`,
        passed: row(geometry, "sst").bleu.mean >= 95,
      },
      {
        claim: `${geometry}: one of LoRA and ReLoRA* stays at 50 or below`,
        passed: Math.min(row(geometry, "lora").bleu.mean, row(geometry, "relora").bleu.mean) <= 50,
      },
      {
        claim: `${geometry}: control: 50 steps are not enough for 5 BLEU`,
        passed: controls.find((c) => c.geometry === geometry)!.bleu.mean < 5,
      },
    ]),
  );
  await writeResults(
    "spectral-translation",
    `npm run protocol -- spectral-translation --seeds ${values.seeds}`,
    {
      seeds,
      rows,
      controls,
    },
  );
}
