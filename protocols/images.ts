/**
 * Compression on real images: VGG16-BN of half width on part of CIFAR-10 and ResNet20 on part of Fashion-MNIST, to 50, 30 and
 * 15 % of their multiply–accumulates, by every method, three seeds. All methods start from the same trained networks and
 * get the same number of steps; the small network from scratch also gets those that the dense one was trained with.
 *
 * Results hold whatever runs are done, so that it can be stopped and started again, on another machine too: what
 * docs/results/images.json has with the same settings is not run again. Options: --networks, --methods, --budgets and --seeds a,b
 * run these alone, --parallel n so many at a time; --collect runs nothing; --latency then measures all networks that are
 * there, anew; --validate measures on validation images, with --lambda start,end to try, and writes nothing.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { importModel } from "../src/engine/onnx/import.ts";
import { measureLatency } from "../src/runs/latency.ts";
import { METHOD_NAMES, type MethodName, methodOf } from "../src/runs/methods.ts";
import { ALIGNMENT, alignChannels } from "../src/sparsity/align.ts";
import type { ImageJob } from "./support/image-compression.ts";
import { COMPRESSION, compressOnce, fileOf, LAMBDA } from "./support/image-compression.ts";
import { TASKS, taskOf } from "./support/image-networks.ts";
import { imagesFigure } from "./support/images-figure.ts";
import type { ImageRow, ImageRun } from "./support/images-results.ts";
import { rowsOf, standingsOf } from "./support/images-results.ts";
import { finishJob, keptResult, ownJob, runJobs } from "./support/jobs.ts";
import { alike, earlierResults, ROOT, writeResults } from "./support/results.ts";

const { values } = parseArgs({
  options: {
    networks: { type: "string" },
    methods: { type: "string" },
    budgets: { type: "string" },
    seeds: { type: "string" },
    lambda: { type: "string" },
    validate: { type: "boolean", default: false },
    collect: { type: "boolean", default: false },
    latency: { type: "boolean", default: false },
    parallel: { type: "string", default: "1" },
    job: { type: "string" },
  },
});

/** Those that people use most come first, so that what is stopped early is worth something. */
const FIRST: readonly MethodName[] = [
  "wgsef",
  "magnitude",
  "dense",
  "group-lasso",
  "taylor",
  "slimming",
  "scratch",
];
/** Variants of the envelope and of half-space steps are left to the other protocols. */
const LEFT_OUT: readonly MethodName[] = ["wgsef-plain", "wgsef-hspg", "adahspg"];
/** The second network, whose steps cost three times as much, does without the methods that are used least. */
const METHODS: Record<string, readonly MethodName[]> = {
  resnet20: [...FIRST, ...METHOD_NAMES.filter((name) => !FIRST.includes(name) && !LEFT_OUT.includes(name))],
  "vgg16-bn-half": FIRST,
};
const BUDGETS = [0.5, 0.3, 0.15];
const SEEDS = [0, 1, 2];
/** A control: the envelope with a λ that grows, from αλ = 0.2 to 2. */
const GROWING: [start: number, end: number] = [10, 100];
const CONTROLLED = "resnet20";
const folder = join(ROOT, "runs", "protocols", "images");

function jobsOf(
  networks: readonly string[],
  methods: readonly string[] | undefined,
  budgets: readonly number[],
  seeds: readonly number[],
  lambda?: number[],
): ImageJob[] {
  return networks.flatMap((network) =>
    METHODS[network]
      .filter((method) => !methods || methods.includes(method))
      .flatMap((method) =>
        (methodOf(method).reference === "whole" ? [undefined] : budgets).flatMap((macs) =>
          seeds.map(
            (seed): ImageJob => ({
              network,
              method,
              macs,
              seed,
              settings: {
                task: taskOf(network),
                ...COMPRESSION,
                lambda: lambda ?? LAMBDA[method],
                validate: values.validate,
              },
            }),
          ),
        ),
      ),
  );
}

/** Fills in medians of interleaved runs, with widths filled up on loading where that is faster, as compress does. */
async function measure(runs: readonly ImageRun[]): Promise<void> {
  for (const { network } of TASKS)
    for (const seed of SEEDS) {
      const own = runs.filter(
        (run) => run.network === network && run.seed === seed && existsSync(fileOf(run)),
      );
      if (own.length === 0) continue;
      const graphs = await Promise.all(own.map(async (run) => importModel(await readFile(fileOf(run)))));
      const models = graphs.flatMap((graph) => [graph, alignChannels(graph, ALIGNMENT)]);
      const times = await measureLatency(models, { batch: 64, threads: 1, runs: 20, atLeast: 0 });
      own.forEach((run, i) => {
        run.latencyMs = Math.min(times[2 * i], times[2 * i + 1]);
      });
      console.log(`measured ${network}, seed ${seed}: ${own.length} networks`);
    }
}

/** What is there of these, in their order. */
async function keptOf(jobs: readonly ImageJob[]): Promise<ImageRun[]> {
  const results = await Promise.all(jobs.map((job) => keptResult<ImageRun["result"]>(job, folder)));
  return jobs.flatMap(({ settings: _, ...job }, i) => {
    const result = results[i];
    return result ? [{ ...job, result }] : [];
  });
}

interface Results {
  settings: object;
  control: { rows: ImageRow[] };
  runs: ImageRun[];
}

/** What is on record, where it was made with these settings. */
async function recorded(settings: object): Promise<Pick<Results, "control" | "runs">> {
  const earlier = await earlierResults<Results>("images");
  return earlier && alike(earlier.settings, settings) ? earlier : { control: { rows: [] }, runs: [] };
}

const own = ownJob<ImageJob>();
if (own) finishJob(await compressOnce(own));
else {
  const list = (text: string | undefined) => text?.split(",");
  const numbers = (text: string | undefined) => list(text)?.map(Number);
  const whole = jobsOf(Object.keys(METHODS), undefined, BUDGETS, SEEDS);
  const control = jobsOf([CONTROLLED], ["wgsef"], BUDGETS, SEEDS, GROWING);
  const { networks, methods, budgets, seeds } = values;
  const some = jobsOf(
    list(networks) ?? Object.keys(METHODS),
    list(methods),
    numbers(budgets) ?? BUDGETS,
    numbers(seeds) ?? SEEDS,
    numbers(values.lambda),
  );
  const settings = {
    tasks: TASKS,
    ...COMPRESSION,
    lambda: LAMBDA,
    budgets: BUDGETS,
    seeds: SEEDS,
    methods: METHODS,
  };
  const earlier = await recorded(settings);
  const onRecord = (job: ImageJob) => earlier.runs.find((run) => fileOf(run) === fileOf(job));
  const trial = values.validate || values.lambda;
  const wanted = trial ? some : some.filter((job) => !onRecord(job));
  const all = !(networks || methods || budgets || seeds || trial);
  const jobs = values.collect ? [] : all ? [...wanted, ...control] : wanted;
  await runJobs<ImageJob, ImageRun["result"]>(
    jobs,
    Number(values.parallel),
    folder,
    ({ network, method, macs = 1, seed }, r) =>
      console.log(
        `${network} ${method} ${macs} seed ${seed}: ${(100 * r.accuracy).toFixed(2)} %, ${r.macs} MACs, ${r.natural} of ${r.groups} groups left by training, ${r.kept} kept, ${r.processorSeconds.toFixed(1)} s`,
      ),
  );
  if (values.validate) process.exit();

  const kept = await keptOf(whole);
  const runs = whole.flatMap((job): ImageRun[] => {
    const own = kept.find((run) => fileOf(run) === fileOf(job));
    const old = onRecord(job);
    // The record also has its latency.
    const run = alike(old?.result, own?.result) ? old : (own ?? old);
    return run ? [run] : [];
  });
  const missing = whole.length - runs.length;
  if (values.latency) await measure(runs);
  // A mean is one of all seeds or none.
  const complete = (row: ImageRow) => row.accuracy.values.length === SEEDS.length;
  const rows = rowsOf(runs).filter(complete);
  const standings = standingsOf(rows, "wgsef");
  for (const s of standings)
    console.log(
      `${s.network} ${s.budget} by ${s.cost}: ${s.beatenBy.length ? `beaten by ${s.beatenBy.join(", ")}; by more than one s.d.: ${s.clearlyBeatenBy.join(", ") || "none"}` : "on the front"}`,
    );
  const controlRows = rowsOf(await keptOf(control)).filter(complete);
  await writeResults("images", "npm run protocol -- images", {
    settings,
    missing,
    rows,
    standings,
    control: {
      network: CONTROLLED,
      lambda: GROWING,
      rows: controlRows.length > 0 ? controlRows : earlier.control.rows,
    },
    runs,
  });
  const figures = join(ROOT, "docs", "figures");
  await mkdir(figures, { recursive: true });
  await writeFile(join(figures, "images.svg"), imagesFigure(rows));
  console.log(`drawn in docs/figures/images.svg; ${missing} jobs are still to be run`);
}
