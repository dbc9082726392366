import { join } from "node:path";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { classification, classificationSource, evaluateClassifier } from "../../src/nn/classification.ts";
import type { OptimizerSpec } from "../../src/nn/optimizers.ts";
import type { TrainOptions } from "../../src/nn/trainer.ts";
import { train } from "../../src/nn/trainer.ts";
import { measureLatency } from "../../src/runs/latency.ts";
import type { MethodName } from "../../src/runs/methods.ts";
import { methodOf } from "../../src/runs/methods.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { alignChannels } from "../../src/sparsity/align.ts";
import type { GroupChoice } from "../../src/sparsity/groups/kinds.ts";
import { findGroups } from "../../src/sparsity/groups/kinds.ts";
import type { KAnnealOptions } from "../../src/sparsity/k-anneal.ts";
import { createKAnneal } from "../../src/sparsity/k-anneal.ts";
import { shrinkZeros } from "../../src/sparsity/shrink-zeros.ts";
import { createSparseSession } from "../../src/sparsity/sparse/session.ts";
import { finishJob, ownJob, runJobs } from "./jobs.ts";
import type { Summary } from "./results.ts";
import { earlierResults, ROOT, summarize } from "./results.ts";

const MOMENTUM: OptimizerSpec = { kind: "sgd", momentum: 0.9 };

export type Method = "dense" | "scratch" | MethodName;

export interface LambdaRange {
  lambdaStart: number;
  lambdaEnd: number;
}

export interface Comparison {
  data: Dataset;
  /** Builds the network, or the smaller one that has just the kept widths. */
  build: (options: { seed: number; batch: number; small: boolean }) => Graph;
  /** What can be left out; by default filters. */
  groups?: GroupChoice;
  keep: Record<string, number>;
  methods: readonly Method[];
  seeds: readonly number[];
  epochs: number;
  batch: number;
  /** By default gradient descent with momentum. */
  optimizer?: OptimizerSpec;
  learningRate: number;
  weightDecay: number;
  /** Range of λ of the envelopes, which compare groups with each other. */
  lambda: LambdaRange;
  /** Ranges of other methods, where it is not the method's own. */
  ranges: Partial<Record<MethodName, LambdaRange>>;
  /** Shares of the epochs. */
  phases: { warmup: number; select: number };
  threads: number;
  /** Processes at a time. */
  parallel: number;
}

export interface MethodResult {
  method: string;
  accuracy: Summary;
  /** Of every seed, by layer: groups that training left before anything was cut. */
  natural: Record<string, number>[];
  kept: Record<string, number>[];
  /** Change of test accuracy at the cut, of every seed; 0 where nothing was cut. */
  commitChange: number[];
  parameters: number;
  macs: number;
  bytes: number;
}

export interface ComparisonResult {
  methods: MethodResult[];
  /** Of the first seed: dense, `wgsef` with its zeros left in place, shrunk, with widths rounded up on loading, and by `createSparseSession`; medians of one interleaved measurement on one thread. */
  latencyMs: Record<string, Record<string, number>>;
}

interface Job {
  method: Method;
  seed: number;
  /** All that the result depends on besides: an earlier result counts only where it is the same. */
  settings: object;
}

export interface JobResult {
  /** On the test set, 0 to 1. */
  accuracy: number;
  natural: Record<string, number>;
  kept: Record<string, number>;
  commitChange: number;
  /** The .onnx files with zeros in place and shrunk. */
  trained: Uint8Array;
  shrunk: Uint8Array;
}

/**
 * Trains the same network by every method from the same seeds with the same number of epochs, each in a process of its
 * own, and tabulates. Undefined in those processes.
 */
export async function compareMethods(c: Comparison): Promise<ComparisonResult | undefined> {
  const own = ownJob<Job>();
  if (own) {
    finishJob(await trainMethod(c, own.method, own.seed));
    return undefined;
  }
  const jobs = c.seeds.flatMap((seed) =>
    c.methods.map((method): Job => ({ method, seed, settings: settingsOf(c, method) })),
  );
  const results = await runJobs<Job, JobResult>(
    jobs,
    c.parallel,
    join(ROOT, "runs", "protocols"),
    ({ method, seed }, r) =>
      console.log(
        `${method.padEnd(18)} seed ${seed}: accuracy ${(100 * r.accuracy).toFixed(2)} %, reached in training ${JSON.stringify(r.natural)}, change at the cut ${(100 * r.commitChange).toFixed(2)} points`,
      ),
  );
  const of = (method: Method) => results.filter((_, i) => jobs[i].method === method);
  const methods = c.methods.map((method): MethodResult => {
    const runs = of(method);
    const cost = accountModel(importModel(runs[0].shrunk)).total;
    return {
      method,
      accuracy: summarize(runs.map((r) => r.accuracy)),
      natural: runs.map((r) => r.natural),
      kept: runs.map((r) => r.kept),
      commitChange: runs.map((r) => r.commitChange),
      parameters: cost.parameters,
      macs: cost.macs,
      bytes: runs[0].shrunk.length,
    };
  });
  return { methods, latencyMs: await compareLatencies(of("dense")[0], of("wgsef")[0]) };
}

async function compareLatencies(
  dense: JobResult | undefined,
  sparse: JobResult | undefined,
): Promise<ComparisonResult["latencyMs"]> {
  if (!dense || !sparse) return {};
  const shrunk = importModel(sparse.shrunk);
  const networks = {
    dense: importModel(dense.shrunk),
    masked: importModel(sparse.trained),
    shrunk,
    aligned: alignChannels(shrunk),
  };
  const latencies: ComparisonResult["latencyMs"] = {};
  for (const batch of [1, 64]) {
    const session = await createSparseSession(shrunk, { batch });
    const models = { ...networks, session: { graph: shrunk, open: async () => session } };
    const times = await measureLatency(Object.values(models), { batch, threads: 1, runs: 200 });
    latencies[`batch ${batch}`] = Object.fromEntries(Object.keys(models).map((name, i) => [name, times[i]]));
  }
  return latencies;
}

function settingsOf(
  { data, build, methods, seeds, parallel, lambda, ranges, ...settings }: Comparison,
  method: Method,
): object {
  const options = method === "dense" || method === "scratch" ? {} : optionsOf({ lambda, ranges }, method);
  return { data: data.name, options, ...settings };
}

function optionsOf(
  { lambda, ranges }: Pick<Comparison, "lambda" | "ranges">,
  method: MethodName,
): Partial<KAnnealOptions> {
  return { ...lambda, ...methodOf(method).options, ...ranges[method] };
}

/** One method from one seed. */
export async function trainMethod(c: Comparison, method: Method, seed: number): Promise<JobResult> {
  const { data, batch, epochs } = c;
  const model = c.build({ seed, batch, small: method === "scratch" });
  const sparse = method !== "dense" && method !== "scratch";
  const prunable = sparse ? findGroups(model, c.groups) : [];
  const layers = sparse
    ? Object.entries(c.keep).map(([name, keep]) => ({
        name,
        keep,
        partition: prunable.find((l) => l.name === name)!.partition,
      }))
    : [];
  const sparsifier = sparse
    ? createKAnneal({
        ...optionsOf(c, method),
        layers,
        ...c.phases,
        weightDecay: c.weightDecay,
        seed,
      })
    : undefined;
  const session = { threads: c.threads };
  const options: TrainOptions = {
    ...session,
    epochs,
    optimizer: c.optimizer ?? MOMENTUM,
    learningRate: c.learningRate,
    weightDecay: c.weightDecay,
    schedule: { kind: "cosine", flat: c.phases.warmup + c.phases.select, floor: 0 },
    sparsifier,
    evaluate:
      sparsifier &&
      (async () => ({
        accuracy: (await evaluateClassifier(model, data.test, data.scale, session)).accuracy,
      })),
  };
  await train(
    model,
    classification(),
    classificationSource(model, data.train, data.scale, { seed }),
    options,
  );
  const { accuracy } = await evaluateClassifier(model, data.test, data.scale, session);
  const outcomes = sparsifier?.outcomes() ?? [];
  const commit = sparsifier?.commit();
  return {
    trained: exportModel(model),
    shrunk: exportModel(sparse ? shrinkZeros(model).graph : model),
    accuracy,
    natural: Object.fromEntries(outcomes.map((o) => [o.name, o.natural])),
    kept: Object.fromEntries(outcomes.map((o) => [o.name, o.natural - o.forced])),
    commitChange: commit ? commit.after.accuracy - commit.before.accuracy : 0,
  };
}

/** A comparison of some of the methods, with the rows and figures that it lacks from the results there are. */
export async function withEarlierRows(name: string, found: ComparisonResult): Promise<ComparisonResult> {
  const earlier = await earlierResults<ComparisonResult>(name);
  if (!earlier) return found;
  return {
    methods: earlier.methods.map((old) => found.methods.find((row) => row.method === old.method) ?? old),
    latencyMs: Object.keys(found.latencyMs).length > 0 ? found.latencyMs : earlier.latencyMs,
  };
}

/** The comparison as lines of text. */
export function comparisonTable({ methods, latencyMs }: ComparisonResult): string {
  const lines = methods.map((m) => {
    const sd = m.accuracy.values.length > 1 ? ` ± ${(100 * m.accuracy.sd).toFixed(2)}` : "";
    return `| ${m.method} | ${(100 * m.accuracy.mean).toFixed(2)}${sd} | ${m.kept.map((k) => Object.values(k).join("-")).join(", ") || "–"} | ${m.commitChange.map((v) => (100 * v).toFixed(2)).join(", ")} | ${m.parameters} | ${m.macs} | ${m.bytes} |`;
  });
  return [
    "| method | test accuracy, % | kept (each seed) | change at the cut, points | parameters | MACs | bytes |",
    "|---|---|---|---|---|---|---|",
    ...lines,
    "",
    ...Object.entries(latencyMs).map(
      ([batch, times]) =>
        `latency ${batch}, one thread, ms: ${Object.entries(times)
          .map(([name, t]) => `${name} ${t.toFixed(3)}`)
          .join(", ")}`,
    ),
  ].join("\n");
}
