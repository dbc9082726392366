/**
 * wgsef.md P6: the network of the synthetic digits with every kind of group it has, half of them kept, and as a control
 * the same number of random groups of equal sizes, which follow no neuron. Options: --epochs n, --seeds 0,1,2, --keep 0.5.
 */
import { parseArgs } from "node:util";
import { glyphs } from "../src/data/synthetic/glyphs.ts";
import { classification, classificationSource, evaluateClassifier } from "../src/nn/classification.ts";
import { smallCnn } from "../src/nn/models/small-cnn.ts";
import { train } from "../src/nn/trainer.ts";
import { random } from "../src/random.ts";
import { keepShare } from "../src/runs/budget.ts";
import { requireSameOutputs } from "../src/runs/same-outputs.ts";
import { accountModel } from "../src/sparsity/accounting.ts";
import type { CustomGroups } from "../src/sparsity/groups/custom.ts";
import type { GroupChoice } from "../src/sparsity/groups/kinds.ts";
import { findGroups } from "../src/sparsity/groups/kinds.ts";
import { groupNorms } from "../src/sparsity/groups.ts";
import { createKAnneal } from "../src/sparsity/k-anneal.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { ROOT, summarize, writeResults } from "./support/results.ts";

const KINDS = [
  "filter",
  "zero-invariant",
  "channel",
  "neuron",
  "filter-shape",
  "kernel",
  "block",
  "unstructured",
  "random",
] as const;

interface Job {
  kind: (typeof KINDS)[number];
  seed: number;
  epochs: number;
  keep: number;
}

interface JobResult {
  accuracy: number;
  /** Of every set: groups, asked for, left by training, non-zero at the end. */
  sets: { name: string; groups: number; keep: number; natural: number; nonZero: number }[];
  /** Channels that were removed. */
  removed: number;
  macs: { before: number; after: number };
  parameters: { before: number; after: number; nonZero: number };
  outputError: number;
}

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "12" },
    seeds: { type: "string", default: "0,1,2" },
    keep: { type: "string", default: "0.5" },
    job: { type: "string" },
  },
});

/** The filters' weights and biases, dealt to as many groups of equal sizes at random. */
function randomGroups(graph: ReturnType<typeof smallCnn>, seed: number): CustomGroups {
  const rng = random(seed);
  return Object.fromEntries(
    findGroups(graph, "filter").map(({ name, partition }) => {
      const elements = partition.parts.flatMap(({ parameter }) =>
        Array.from(graph.parameters.get(parameter)!.data, (_, i) => [parameter, i] as const),
      );
      const groups = Array.from({ length: partition.groups }, (): Record<string, number[]> => ({}));
      rng.permutation(elements.length).forEach((e, at) => {
        const [parameter, i] = elements[e];
        const group = groups[at % partition.groups];
        group[parameter] ??= [];
        group[parameter].push(i);
      });
      return [name, groups];
    }),
  );
}

async function runOnce({ kind, seed, epochs, keep }: Job): Promise<JobResult> {
  const data = glyphs({});
  const graph = smallCnn({ inputShape: [1, 16, 16], classes: 10, seed, batch: 100 });
  const choice: GroupChoice = kind === "random" ? randomGroups(graph, seed) : kind;
  const sets = findGroups(graph, choice);
  const counts = keepShare(sets, keep);
  const sparsifier = createKAnneal({
    layers: sets.map(({ name, partition }) => ({ name, partition, keep: counts[name] })),
    warmup: 0.17,
    select: 0.5,
    lambdaStart: 0.05,
    lambdaEnd: 6,
    weightDecay: 5e-4,
  });
  const session = { threads: 1 };
  await train(graph, classification(), classificationSource(graph, data.train, data.scale, { seed }), {
    ...session,
    epochs,
    optimizer: { kind: "sgd", momentum: 0.9 },
    learningRate: 0.08,
    weightDecay: 5e-4,
    schedule: { kind: "cosine", flat: 0.67, floor: 0 },
    sparsifier,
  });
  const arrays = Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));
  const { graph: shrunk, removed } = shrinkZeros(graph);
  const [before, after] = [accountModel(graph).total, accountModel(shrunk).total];
  return {
    accuracy: (await evaluateClassifier(graph, data.test, data.scale, session)).accuracy,
    sets: sparsifier.outcomes().map(({ name, groups, keep: asked, natural }) => ({
      name,
      groups,
      keep: asked,
      natural,
      nonZero: groupNorms(sets.find((s) => s.name === name)!.partition, arrays).filter((n) => n !== 0).length,
    })),
    removed: removed.reduce((n, r) => n + r.channels.length, 0),
    macs: { before: before.macs, after: after.macs },
    parameters: { before: before.parameters, after: after.parameters, nonZero: before.nonZeros },
    outputError: await requireSameOutputs(graph, shrunk, data.test, data.scale),
  };
}

const own = ownJob<Job>();
if (own) finishJob(await runOnce(own));
else {
  const settings = { epochs: Number(values.epochs), keep: Number(values.keep) };
  const jobs = values.seeds
    .split(",")
    .flatMap((seed) => KINDS.map((kind): Job => ({ kind, seed: Number(seed), ...settings })));
  const results = await runJobs<Job, JobResult>(jobs, 1, `${ROOT}/runs/protocols`, ({ kind, seed }, r) => {
    const exact = r.sets.every((s) => s.nonZero === s.keep);
    const reached = r.sets.map((s) => `${s.natural}/${s.keep}`).join(" ");
    console.log(
      `${kind.padEnd(14)} seed ${seed}: ${(100 * r.accuracy).toFixed(2)} %, reached ${reached}, ${exact ? "exactly k" : "NOT k"}, ${r.removed} channels removed, MACs ${(r.macs.before / r.macs.after).toFixed(2)}× fewer`,
    );
  });
  for (const [i, { sets, removed }] of results.entries()) {
    if (!sets.every((s) => s.nonZero === s.keep)) throw new Error(`${jobs[i].kind}: not exactly k groups`);
    if (jobs[i].kind === "random" && removed > 0) throw new Error("control: random groups removed something");
  }
  await writeResults(
    "group-kinds",
    `npm run protocol -- group-kinds --epochs ${values.epochs} --seeds ${values.seeds}`,
    {
      settings: values,
      kinds: KINDS.map((kind) => {
        const own = results.filter((_, i) => jobs[i].kind === kind);
        const over = (pick: (r: JobResult) => number) => summarize(own.map(pick));
        return {
          kind,
          accuracy: over((r) => r.accuracy),
          removed: over((r) => r.removed),
          macsRatio: over((r) => r.macs.before / r.macs.after),
          nonZeros: over((r) => r.parameters.nonZero),
        };
      }),
      runs: results.map((r, i) => ({ ...jobs[i], ...r })),
    },
  );
}
