/**
 * sst.md P3 and P4: HyboNet on a disease's spreading tree and on trees of inherited features, links and classes, at one rate
 * for all methods and few epochs. (`graphs` is the comparison with published settings.) Every run is a job of its own and
 * kept. Options: --parts disease-links,tree-links,tree-classes; --seeds 0,1,2; --parallel 1.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { trainGraph } from "../src/graphs/train-graph.ts";
import type { Footprint } from "../src/sparsity/spectral/footprint.ts";
import type { RankMethod } from "../src/sparsity/spectral/rank-methods.ts";
import { createRankMethod } from "../src/sparsity/spectral/rank-methods.ts";
import { GRAPH_TASKS } from "./support/graph-tasks.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import type { Mark } from "./support/marks.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";
import { SHARED_DATA } from "./support/shared-data.ts";

interface Job {
  task: string;
  epochs: number;
  /** Steps of warm-up in the 20 of an iteration. */
  warmup: number;
  method: Exclude<RankMethod, "galore">;
  rank: number;
  /** Always the largest singular values: the control. */
  largest?: boolean;
  seed: number;
}

interface Result {
  test: Record<string, number>;
  footprint: Footprint;
  seconds: number;
}

const WIDTH = 16;

async function run({ task: name, epochs, warmup, method, rank, largest, seed }: Job): Promise<Result> {
  const task = GRAPH_TASKS[name];
  let footprint: (() => Footprint) | undefined;
  const before = process.cpuUsage();
  const { test } = await trainGraph({
    ...(await task.load(seed)),
    ...task.settings.hybonet,
    model: "hybonet",
    epochs,
    patience: epochs,
    seed,
    threads: 1,
    sparsifier: (graph) => {
      const found = createRankMethod(graph, method, {
        rank,
        iterationSteps: 20,
        roundIterations: WIDTH / rank,
        warmup,
        spectral: largest ? { sampler: "top" } : undefined,
        seed,
      });
      footprint = found.footprint;
      return found;
    },
  });
  const { user, system } = process.cpuUsage(before);
  return { test, footprint: footprint!(), seconds: (user + system) / 1e6 };
}

type Row = Pick<Job, "method" | "rank" | "largest">;
const adapted = (rank: number, methods = ["lora", "dora", "relora", "sst"] as const): Row[] =>
  methods.map((method) => ({ method, rank }));
const full: Row = { method: "full", rank: 0 };
const PARTS: Record<string, Pick<Job, "task" | "epochs" | "warmup"> & { rows: Row[] }> = {
  "disease-links": {
    task: "disease-lp",
    epochs: 500,
    warmup: 3,
    rows: [full, ...adapted(1), ...adapted(2), { method: "sst", rank: 1, largest: true }],
  },
  "tree-links": { task: "tree-lp", epochs: 1200, warmup: 3, rows: [full, ...adapted(2)] },
  "tree-classes": {
    task: "tree-nc",
    epochs: 300,
    warmup: 2,
    rows: [full, ...adapted(1), ...adapted(2)],
  },
};

const own = ownJob<Job>();
if (own) finishJob(await run(own));
else await compare();

async function compare(): Promise<void> {
  const { values } = parseArgs({
    options: {
      parts: { type: "string" },
      seeds: { type: "string", default: "0,1,2" },
      parallel: { type: "string", default: "1" },
    },
  });
  const here = Object.keys(PARTS).filter(
    (part) => part !== "disease-links" || existsSync(join(SHARED_DATA, "hgcn")),
  );
  const parts = values.parts?.split(",") ?? here;
  const seeds = values.seeds.split(",").map(Number);
  const wanted = parts.flatMap((part) => PARTS[part].rows.map((row) => ({ part, row })));
  const jobs = wanted.flatMap(({ part, row }) => {
    const { rows: _, ...settings } = PARTS[part];
    return seeds.map((seed): Job => ({ ...settings, ...row, seed }));
  });
  const nameOf = ({ method, rank, largest }: Row) =>
    `${method}${rank ? `, rank ${rank}` : ""}${largest ? ", always the largest" : ""}`;
  const scoreOf = ({ test }: Result) => test.auc ?? test.f1;
  const results = await runJobs<Job, Result>(
    jobs,
    Number(values.parallel),
    join(ROOT, "runs/protocols/spectral-graphs"),
    (job, result) =>
      console.log(
        `${job.task} ${nameOf(job)}, seed ${job.seed}: ${scoreOf(result).toFixed(3)}, ${result.seconds.toFixed(0)} s`,
      ),
  );
  const rows = wanted.map(({ part, row }, i) => {
    const runs = results.slice(i * seeds.length, (i + 1) * seeds.length);
    return {
      part,
      method: nameOf(row),
      score: summarize(runs.map(scoreOf)),
      ...(runs[0].test.ap !== undefined && { ap: summarize(runs.map((r) => r.test.ap)) }),
      footprint: runs[0].footprint,
      seconds: summarize(runs.map((r) => r.seconds)),
    };
  });
  console.log();
  reportMarks(
    marksOf((part, method) => rows.find((r) => r.part === part && r.method === method)?.score.mean),
  );
  await writeResults(
    "spectral-graphs",
    `npm run protocol -- spectral-graphs --parts ${parts} --seeds ${values.seeds}`,
    { seeds, parts: parts.map((part) => ({ part, epochs: PARTS[part].epochs })), rows },
  );
}

/** The specification's, for the parts that have been run. */
function marksOf(score: (part: string, method: string) => number | undefined): Mark[] {
  const marks: Mark[] = [];
  const compare = (
    part: string,
    methods: readonly string[],
    claim: (...shown: string[]) => string,
    holds: (...scores: number[]) => boolean,
  ) => {
    const scores = methods.flatMap((method) => score(part, method) ?? []);
    if (scores.length === methods.length)
      marks.push({
        claim: `${part}: ${claim(...scores.map((s) => s.toFixed(3)))}`,
        passed: holds(...scores),
      });
  };
  const at = (rank: number, ...methods: string[]) => methods.map((m) => `${m}, rank ${rank}`);
  const disease = "disease-links";
  compare(
    disease,
    at(1, "sst", "lora"),
    (sst, lora) => `at rank 1 SST ${sst} is .08 above LoRA's ${lora}`,
    (sst, lora) => sst >= lora + 0.08,
  );
  compare(
    disease,
    at(1, "sst", "relora"),
    (sst, relora) => `at rank 1 SST ${sst} is .02 above ReLoRA*'s ${relora}`,
    (sst, relora) => sst >= relora + 0.02,
  );
  compare(
    disease,
    ["full", ...at(1, "sst", "lora", "dora", "relora")],
    (best, sst) => `at rank 1 SST ${sst} closes half of the gap to full rank's ${best}`,
    (best, sst, ...rivals) => sst - Math.max(...rivals) >= (best - Math.max(...rivals)) / 2,
  );
  compare(
    disease,
    ["sst, rank 1", "sst, rank 1, always the largest"],
    (sst, largest) => `control: always the largest ${largest} is below SST ${sst}`,
    (sst, largest) => largest < sst,
  );
  compare(
    "tree-links",
    ["full", ...at(2, "sst", "lora", "relora")],
    (best, sst, lora, relora) => `full ${best} > SST ${sst} > LoRA ${lora} and ReLoRA* ${relora}`,
    (best, sst, lora, relora) => best > sst && sst > Math.max(lora, relora),
  );
  compare(
    "tree-classes",
    at(1, "sst", "lora"),
    (sst, lora) => `at rank 1 SST ${sst} is .05 above LoRA's ${lora}`,
    (sst, lora) => sst >= lora + 0.05,
  );
  compare(
    "tree-classes",
    ["full", "sst, rank 2"],
    (best, sst) => `at rank 2 SST ${sst} is within .02 of full rank's ${best}`,
    (best, sst) => sst >= best - 0.02,
  );
  return marks;
}
