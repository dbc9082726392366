/**
 * WordNet's mammals and a balanced tree in the Poincaré ball, on the hyperboloid and in flat space, as Nickel and Kiela
 * (2017): mean rank and MAP of the reconstruction; the disk as docs/figures/mammals.svg. Options: --seeds 0,1,2
 * --epochs 200 --parallel 1. Without the data only the balanced tree is embedded.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import type { Relations } from "../src/data/relations.ts";
import { readRelations } from "../src/data/relations.ts";
import { balancedTree } from "../src/data/synthetic/balanced-tree.ts";
import { euclideanPoints } from "../src/geometry/euclidean-points.ts";
import { lorentzPoints } from "../src/geometry/lorentz-points.ts";
import { poincarePoints } from "../src/geometry/poincare-points.ts";
import { embedTree, reconstruction } from "../src/geometry/tree-embedding.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { drawMammals } from "./support/mammals-disk.ts";
import { reportMarks } from "./support/marks.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";
import { SHARED_DATA } from "./support/shared-data.ts";

const SPACES = { poincare: poincarePoints(), lorentz: lorentzPoints(), euclidean: euclideanPoints };
const MAMMALS = join(SHARED_DATA, "wordnet/mammal_closure.tsv");
const SETTINGS = { learningRate: 0.1, negatives: 50, burnIn: 20 };
interface Job {
  data: "mammals" | "balanced";
  space: keyof typeof SPACES;
  dimension: number;
  epochs: number;
  seed: number;
  settings: typeof SETTINGS;
}

interface Result {
  meanRank: number;
  map: number;
  seconds: number;
  /** Coordinates of all points, one after the other. */
  points: Float64Array;
}

const relationsOf = (data: Job["data"]): Relations =>
  data === "mammals"
    ? readRelations(readFileSync(MAMMALS, "utf8"), MAMMALS)
    : balancedTree({ branching: 3, depth: 5 });

function run({ data, space, dimension, epochs, seed, settings }: Job): Result {
  const relations = relationsOf(data);
  const manifold = SPACES[space];
  const before = process.cpuUsage().user;
  const points = embedTree(manifold, relations, { ...settings, dimension, epochs, seed });
  const seconds = (process.cpuUsage().user - before) / 1e6;
  const quality = reconstruction(relations, (u, v) => manifold.distance(points[u], points[v]));
  return { ...quality, seconds, points: Float64Array.from(points.flatMap((p) => [...p])) };
}

const own = ownJob<Job>();
if (own) finishJob(run(own));
else {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "0,1,2" },
      epochs: { type: "string", default: "200" },
      parallel: { type: "string", default: "1" },
    },
  });
  const seeds = values.seeds.split(",").map(Number);
  const data: Job["data"][] = existsSync(MAMMALS) ? ["mammals", "balanced"] : ["balanced"];
  if (data.length === 1) console.log(`no ${MAMMALS}: the balanced tree alone`);
  const rows = data.flatMap((name) =>
    (["poincare", "lorentz", "euclidean"] as const).flatMap((space) =>
      [2, 5].map((dimension) => ({ data: name, space, dimension })),
    ),
  );
  const jobs = rows.flatMap((row) =>
    seeds.map((seed): Job => ({ ...row, epochs: Number(values.epochs), seed, settings: SETTINGS })),
  );
  const results = await runJobs<Job, Result>(
    jobs,
    Number(values.parallel),
    join(ROOT, "runs/protocols/tree-embedding"),
    (job, r) =>
      console.log(
        `${job.data} ${job.space} ${job.dimension} seed ${job.seed}: mean rank ${r.meanRank.toFixed(2)}, MAP ${r.map.toFixed(3)}`,
      ),
  );
  const figures = rows.map((row) => {
    const own = results.filter(
      (_, i) =>
        jobs[i].data === row.data && jobs[i].space === row.space && jobs[i].dimension === row.dimension,
    );
    return {
      ...row,
      meanRank: summarize(own.map((r) => r.meanRank)),
      map: summarize(own.map((r) => r.map)),
      seconds: summarize(own.map((r) => r.seconds)),
    };
  });
  if (data.includes("mammals")) {
    const at = jobs.findIndex((j) => j.data === "mammals" && j.space === "poincare" && j.dimension === 2);
    const path = join(ROOT, "docs/figures/mammals.svg");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, drawMammals(relationsOf("mammals"), results[at].points));
  }
  const mapOf = (name: string, space: string, dimension: number) =>
    figures.find((f) => f.data === name && f.space === space && f.dimension === dimension)!.map.values;
  const worst = (values: number[]) => Math.min(...values);
  const best = (values: number[]) => Math.max(...values);
  reportMarks(
    data.flatMap((name) => [
      {
        claim: `${name}: in 5 dimensions both hyperbolic models reach a MAP of .85 with every seed`,
        passed: ["poincare", "lorentz"].every((space) => worst(mapOf(name, space, 5)) > 0.85),
      },
      {
        claim: `${name}: control: flat space of the same dimension is worse, 2 and 5`,
        passed: [2, 5].every((d) => best(mapOf(name, "euclidean", d)) < worst(mapOf(name, "poincare", d))),
      },
    ]),
  );
  await writeResults("tree-embedding", `npm run protocol -- tree-embedding --seeds ${values.seeds}`, {
    seeds,
    epochs: Number(values.epochs),
    settings: SETTINGS,
    rows: figures,
  });
}
