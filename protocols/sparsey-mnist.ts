/**
 * All of MNIST stored once by sparse distributed codes: accuracy over images a class, in shuffled order and class after
 * class, beside exact nearest neighbour and a perceptron trained on the same streams; controls at 50 a class and with all. Each job
 * has a process of its own and is kept under runs/protocols, so that an interrupted run goes on.
 *
 * Options: --per-class 1,5,10,50,200,1000,6000; --seeds 0,1,2 up to 200 images a class and --large-seeds 0 beyond;
 * --test 10000; --validate, which tests on a sixth of the training images instead and writes nothing: settings are
 * chosen by that; --parallel 1; --data-dir <folder>.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { holdOut } from "../src/data/hold-out.ts";
import { loadDataset } from "../src/data/load.node.ts";
import { writeFigure } from "./support/figures.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { reportMarks } from "./support/marks.ts";
import { DATA_DIR, ROOT, summarize, writeResults } from "./support/results.ts";
import {
  EDGES,
  LEARNING,
  LEVEL,
  nearestDigits,
  type Order,
  PERCEPTRON,
  rememberDigits,
  type Stream,
  take,
  trainPerceptron,
} from "./support/sparsey/mnist.ts";
import { type DigitsRow, drawDigits } from "./support/sparsey/mnist-figure.ts";

const { values } = parseArgs({
  options: {
    "per-class": { type: "string", default: "1,5,10,50,200,1000,6000" },
    seeds: { type: "string", default: "0,1,2" },
    "large-seeds": { type: "string", default: "0" },
    test: { type: "string", default: "10000" },
    validate: { type: "boolean", default: false },
    parallel: { type: "string", default: "1" },
    "data-dir": { type: "string" },
    job: { type: "string" },
  },
});

/** Streams up to this many images a class are drawn with every seed. */
const SMALL = 200;

const METHODS = [
  "memory",
  "random codes",
  "never freezes",
  "stores everything",
  "nearest edges",
  "nearest pixels",
  "perceptron",
] as const;
/** Of these, runs of 50 images a class and of all. */
const CONTROLS: readonly string[] = ["random codes", "never freezes", "stores everything"];
/** These learn the same images in either order. */
const IN_TURN: readonly string[] = ["memory", "stores everything", "perceptron"];
type Method = (typeof METHODS)[number];
type Job = Stream & { method: Method; test: number; validate: boolean; settings: unknown };

interface Result {
  accuracy: number | Record<"binary" | "typical" | "logLik", number>;
  learningCpuSeconds?: number;
}

const own = ownJob<Job>();
if (own) finishJob(await runJob(own));
else await compare();

async function runJob({ method, test, validate, ...stream }: Job): Promise<Result> {
  const whole = await loadDataset("mnist", { dataDir: values["data-dir"] ?? DATA_DIR });
  const data: ReturnType<typeof holdOut> = validate ? holdOut(whole, 1 / 6, 0) : whole;
  const from = data.validation ?? data.test;
  const asked = take(
    from,
    Array.from({ length: Math.min(test, from.labels.length) }, (_, i) => i),
  );
  switch (method) {
    case "memory":
      return rememberDigits(data.train, asked, stream);
    case "random codes":
      return rememberDigits(data.train, asked, stream, { preset: "uniform", rules: { freezeAt: null } });
    case "never freezes":
      return rememberDigits(data.train, asked, stream, { rules: { freezeAt: null } });
    case "stores everything":
      return rememberDigits(data.train, asked, stream, { rules: { ...LEARNING, skipIfFamiliar: null } });
    case "nearest edges":
      return nearestDigits(data.train, asked, stream, "edges");
    case "nearest pixels":
      return nearestDigits(data.train, asked, stream, "pixels");
    case "perceptron":
      return await trainPerceptron(data, data.train, asked, stream);
  }
}

async function compare(): Promise<void> {
  const { validate } = values;
  const test = Number(values.test);
  const settings = { edges: EDGES, level: LEVEL, learning: LEARNING, perceptron: PERCEPTRON };
  const numbers = (text: string) => text.split(",").map(Number);
  const jobs = numbers(values["per-class"]).flatMap((perClass) =>
    numbers(perClass <= SMALL ? values.seeds : values["large-seeds"]).flatMap((seed) =>
      METHODS.flatMap((method): Job[] => {
        if (CONTROLS.includes(method) && perClass !== 50 && perClass !== 6000) return [];
        const orders: Order[] = IN_TURN.includes(method) ? ["shuffled", "class after class"] : ["shuffled"];
        return orders.map((order) => ({ method, perClass, order, seed, test, validate, settings }));
      }),
    ),
  );
  const results = await runJobs<Job, Result>(
    jobs,
    Number(values.parallel),
    join(ROOT, "runs/protocols/sparsey-mnist"),
    ({ method, perClass, order, seed }, { accuracy, learningCpuSeconds }) =>
      console.log(
        `${perClass} a class, ${order}, seed ${seed}, ${method}: ${JSON.stringify(accuracy)}`,
        learningCpuSeconds ? `${learningCpuSeconds.toFixed(1)} s to learn` : "",
      ),
  );
  if (validate) return;
  const rows = METHODS.flatMap((method) =>
    [...new Set(jobs.map((job) => job.perClass))].flatMap((perClass) =>
      (["shuffled", "class after class"] as const).flatMap((order): DigitsRow[] => {
        const own = results.filter(
          (_, i) => jobs[i].method === method && jobs[i].perClass === perClass && jobs[i].order === order,
        );
        return own.length > 0 ? [{ method, perClass, order, figures: overRuns(own) }] : [];
      }),
    ),
  );
  await writeFigure("sparsey-mnist", drawDigits(rows));
  await writeResults("sparsey-mnist", "npm run protocol -- sparsey-mnist", { test, settings, rows });
  const all = (order: Order) =>
    rows.find((r) => r.method === "memory" && r.perClass === 6000 && r.order === order);
  const [shuffled, inTurn] = [all("shuffled"), all("class after class")];
  if (!shuffled || !inTurn) return;
  const of = ({ figures }: DigitsRow, name: string) => figures[name].mean;
  const cost = (readout: string) => of(shuffled, readout) - of(inTurn, readout);
  const file = of(shuffled, "fileBytes") / 1e6;
  const seconds = of(shuffled, "learningCpuSeconds");
  reportMarks([
    {
      claim: `all images, binary label field as published: at least 91 % right (${of(shuffled, "binary").toFixed(4)})`,
      passed: of(shuffled, "binary") >= 0.91,
    },
    {
      claim: `class after class costs at most 2 points by logLik (${(100 * cost("logLik")).toFixed(2)}; by typical ${(100 * cost("typical")).toFixed(2)}, by binary ${(100 * cost("binary")).toFixed(2)})`,
      passed: cost("logLik") <= 0.02,
    },
    { claim: `learning takes less than 60 s of one core (${seconds.toFixed(1)})`, passed: seconds < 60 },
    { claim: `the memory takes less than 200 MB (${file.toFixed(1)} as a file)`, passed: file < 200 },
  ]);
}

/** Mean, standard deviation and values of every figure over the seeds; the accuracy's read-outs side by side with the rest. */
function overRuns(runs: readonly Result[]): DigitsRow["figures"] {
  const flat = runs.map(({ accuracy, ...rest }) => ({
    ...(typeof accuracy === "number" ? { accuracy } : accuracy),
    ...rest,
  })) as Record<string, number>[];
  return Object.fromEntries(Object.keys(flat[0]).map((key) => [key, summarize(flat.map((run) => run[key]))]));
}
