import type { Graph } from "../../engine/graph.ts";
import { rebatch } from "../../engine/replay.ts";
import { tensor } from "../../engine/tensor.ts";
import { deriveSeed } from "../../random.ts";
import type { CurvePoint, GrokTimes } from "./detector.ts";
import { grokRun } from "./grok-run.ts";
import { holdMasks } from "./hold-masks.ts";
import type { Masks, Weights } from "./masks.ts";
import {
  density,
  keepLargest,
  loadWeights,
  magnitudeMasks,
  mapValues,
  maskWeights,
  randomMasks,
  shuffleMasks,
  weightsOf,
} from "./masks.ts";
import { modularMlp } from "./modular-mlp.ts";
import { modularTransformer } from "./modular-transformer.ts";
import { createMoments } from "./moments.ts";
import { normRatios, scaleWeights } from "./norms.ts";
import { signedConstant } from "./rewind.ts";
import { graspScores, snipScores, synflowMasks } from "./saliency.ts";
import type { Task, TaskName, TaskSplit } from "./tasks.ts";
import { createTask, splitTask, taskFeeds, vocabularyOf } from "./tasks.ts";
import type { Trace } from "./trace.ts";
import { createTrace } from "./trace.ts";

/** All that the runs of an experiment depend on. */
export interface ExperimentSettings {
  task: TaskName;
  p: number;
  model: "mlp" | "transformer";
  /** Width of the embedding, neurons of the hidden layer. */
  width: number;
  hidden: number;
  /** Share of the samples to train on. */
  fraction: number;
  learningRate: number;
  weightDecay: number;
  evaluateEvery: number;
  /** The base network's limit, and that of every other run. */
  baseSteps: number;
  steps: number;
  /** The base trains on for this many steps after it has generalised for good; its weights then give the ticket's mask. */
  after: number;
  /** Ratio of the ticket that every control is compared with, and all ratios. */
  ratio: number;
  ratios: readonly number[];
}

/** The settings of grokking.md section 4, "quick": seconds a run. */
export const QUICK: ExperimentSettings = {
  task: "modadd",
  p: 31,
  model: "mlp",
  width: 256,
  hidden: 48,
  fraction: 0.7,
  learningRate: 2e-3,
  weightDecay: 1,
  evaluateEvery: 10,
  baseSteps: 14_000,
  steps: 4000,
  after: 4000,
  ratio: 0.6,
  ratios: [0.2, 0.4, 0.6, 0.7, 0.8, 0.9],
};

/** The published configuration (grokking.md section 2). */
export const FULL: ExperimentSettings = {
  ...QUICK,
  p: 67,
  width: 500,
  fraction: 0.4,
  learningRate: 1e-3,
  evaluateEvery: 20,
  baseSteps: 40_000,
  steps: 16_000,
};

/** What a run starts from, and which of its weights live. */
type Start = { weights: Weights; masks?: Masks };

/** Groups of runs, in the order of the report. Each is shown beside the base and the ticket. */
export const RUN_GROUPS = ["tickets", "norm", "moments", "rewinding", "initialisation", "no decay"] as const;
export type RunGroup = (typeof RUN_GROUPS)[number];

interface RunDefinition {
  group: RunGroup;
  /** What it is, in a few words. */
  label: string;
  weightDecay?: 0;
  start: (context: StartContext) => Start | Promise<Start> | undefined;
}

interface StartContext {
  settings: ExperimentSettings;
  seed: number;
  /** W(0). */
  initial: Weights;
  /** Mask of the ticket at a ratio, by default the experiment's. */
  ticket: (ratio?: number) => Masks;
  /** Weights of the base network at a moment of its training; undefined where it never came to it. */
  moment: (name: string) => Weights | undefined;
  /** A model with the initial weights, and what the training set feeds it. */
  model: Graph;
  task: Task;
  split: TaskSplit;
}

/** The runs beside the base network, by name. */
export function runDefinitions(settings: ExperimentSettings): ReadonlyMap<string, RunDefinition> {
  const percent = (ratio: number) => `${Math.round(100 * ratio)} %`;
  const runs = new Map<string, RunDefinition>();
  const ticket =
    (ratio: number): RunDefinition["start"] =>
    ({ initial, ticket }) => ({
      weights: initial,
      masks: ticket(ratio),
    });
  for (const ratio of settings.ratios)
    runs.set(`ticket-${ratio}`, {
      group: "tickets",
      label: `ticket, ${percent(ratio)} pruned`,
      start: ticket(ratio),
    });

  for (const norm of ["l1", "l2"] as const)
    runs.set(`dense-${norm}`, {
      group: "norm",
      label: `dense at the ticket's ${norm.toUpperCase()} norm`,
      start: ({ initial, ticket }) => ({
        weights: scaleWeights(initial, normRatios(initial, ticket())[norm]),
      }),
    });

  const taken = {
    memorised: "at memorisation",
    half: "at 50 % test accuracy",
    most: "at 80 % test accuracy",
    generalised: "at generalisation",
    later500: "500 steps after generalisation",
    later1500: "1500 steps after generalisation",
  };
  for (const [name, label] of Object.entries(taken))
    runs.set(`taken-${name}`, {
      group: "moments",
      label: `ticket taken ${label}`,
      start: ({ initial, moment, settings: { ratio } }) => {
        const weights = moment(name);
        return weights && { weights: initial, masks: magnitudeMasks(weights, ratio) };
      },
    });

  const rewound: Record<string, [string, RunDefinition["start"]]> = {
    shuffled: [
      "mask shuffled within layers",
      ({ initial, ticket, seed }) => ({ weights: initial, masks: shuffleMasks(ticket(), seed) }),
    ],
    fresh: [
      "mask with fresh weights",
      ({ settings, ticket, seed }) => ({
        weights: weightsOf(buildModel(settings, deriveSeed(seed, "fresh"))),
        masks: ticket(),
      }),
    ],
    signs: [
      "mask with the signs alone",
      ({ initial, ticket }) => ({ weights: signedConstant(initial), masks: ticket() }),
    ],
  };
  for (const [name, [label, start]] of Object.entries(rewound))
    runs.set(name, { group: "rewinding", label, start });

  const early: Record<string, [string, (context: StartContext) => Masks | Promise<Masks>]> = {
    random: ["random mask", ({ initial, settings: { ratio }, seed }) => randomMasks(initial, ratio, seed)],
    "magnitude-init": [
      "magnitude at initialisation",
      ({ initial, settings: { ratio } }) => magnitudeMasks(initial, ratio),
    ],
    snip: ["SNIP", async (c) => keepLargest(await snipScores(...trainingBatch(c)), c.settings.ratio)],
    grasp: ["GraSP", async (c) => keepLargest(await graspScores(...trainingBatch(c)), c.settings.ratio)],
    "grasp-reversed": [
      "GraSP, the other sign",
      async (c) => {
        const scores = await graspScores(...trainingBatch(c));
        return keepLargest(
          mapValues(scores, (s) => Float64Array.from(s, (v) => -v)),
          c.settings.ratio,
        );
      },
    ],
    "synflow-1": ["SynFlow, one shot", (c) => synflowMasks(...flowBatch(c), c.settings.ratio, { rounds: 1 })],
    "synflow-100": ["SynFlow, 100 rounds", (c) => synflowMasks(...flowBatch(c), c.settings.ratio)],
  };
  for (const [name, [label, masks]] of Object.entries(early))
    runs.set(name, {
      group: "initialisation",
      label,
      start: async (context) => ({ weights: context.initial, masks: await masks(context) }),
    });

  const noDecay = { group: "no decay", weightDecay: 0 } as const;
  runs.set("dense-0", {
    ...noDecay,
    label: "dense, no decay",
    start: ({ initial }) => ({ weights: initial }),
  });
  for (const ratio of [0.6, 0.7, 0.75])
    runs.set(`ticket-${ratio}-0`, {
      ...noDecay,
      label: `ticket taken 1500 steps after, ${percent(ratio)}, no decay`,
      start: ({ initial, moment }) => {
        const weights = moment("later1500");
        return weights && { weights: initial, masks: magnitudeMasks(weights, ratio) };
      },
    });
  runs.set("late-0.7-0", { ...noDecay, label: "ticket, 70 %, no decay", start: ticket(0.7) });
  runs.set("random-0", {
    ...noDecay,
    label: "random mask, no decay",
    start: ({ initial, seed }) => ({ weights: initial, masks: randomMasks(initial, 0.7, seed) }),
  });
  return runs;
}

/** The initialised network of an experiment. */
export function buildModel(settings: ExperimentSettings, seed: number): Graph {
  const { model, width, hidden } = settings;
  const task = createTask(settings.task, settings.p);
  const common = { classes: task.elements, width, hidden, seed };
  return model === "mlp"
    ? modularMlp({ ...common, vocabulary: vocabularyOf(task) })
    : modularTransformer({ ...common, vocabulary: task.elements });
}

/** What a run leaves behind, as JSON. */
export interface RunOutcome {
  name: string;
  seed: number;
  times: GrokTimes;
  /** Steps taken. */
  steps: number;
  curve: CurvePoint[];
  bestTest: number;
  loss: number;
  /** Living share of all weights and by layer; undefined for dense networks. */
  density?: ReturnType<typeof density>;
  /** What the base network's weights looked like while it trained. */
  trace?: Trace;
  seconds: number;
}

export interface BaseOutcome {
  outcome: RunOutcome;
  /** Weights at the moments that tickets are taken from. */
  moments: ReadonlyMap<string, Weights>;
}

export interface RunHooks {
  onPoint?: (point: CurvePoint) => void;
  signal?: AbortSignal;
}

/** Trains the dense network until it has generalised for good and `after` steps more. Undefined where the signal stopped it. */
export async function runBase(
  settings: ExperimentSettings,
  seed: number,
  hooks: RunHooks = {},
): Promise<BaseOutcome | undefined> {
  const start = performance.now();
  const task = createTask(settings.task, settings.p);
  const model = buildModel(settings, seed);
  const moments = createMoments();
  const trace = createTrace(settings);
  const run = await grokRun(model, task, splitTask(task, settings.fraction, seed), {
    ...settings,
    steps: settings.baseSteps,
    holdFor: settings.after,
    signal: hooks.signal,
    onPoint: (point, weights) => {
      moments.observe(point, weights);
      trace.observe(point, weights);
      hooks.onPoint?.(point);
    },
  });
  if (!run.finished) return undefined;
  const weights = moments.weights();
  weights.set("ticket", run.weights);
  return {
    outcome: { ...outcomeOf("base", seed, run, start), trace: trace.finish(run.weights) },
    moments: weights,
  };
}

/** One of the other runs, from the moments of its base. Undefined where the signal stopped it or the base has no such moment. */
export async function runVariant(
  settings: ExperimentSettings,
  seed: number,
  name: string,
  moments: ReadonlyMap<string, Weights>,
  hooks: RunHooks = {},
): Promise<RunOutcome | undefined> {
  const began = performance.now();
  const task = createTask(settings.task, settings.p);
  const split = splitTask(task, settings.fraction, seed);
  const model = buildModel(settings, seed);
  const definition = runDefinitions(settings).get(name)!;
  const start = await definition.start({
    settings,
    seed,
    initial: weightsOf(model),
    ticket: (ratio = settings.ratio) => magnitudeMasks(moments.get("ticket")!, ratio),
    moment: (moment) => moments.get(moment),
    model,
    task,
    split,
  });
  if (!start) return undefined;
  const { weights, masks } = start;
  loadWeights(model, masks ? maskWeights(weights, masks) : weights);
  const run = await grokRun(model, task, split, {
    ...settings,
    ...hooks,
    weightDecay: definition.weightDecay ?? settings.weightDecay,
    holdFor: Math.min(settings.after, 300),
    sparsifier: masks && holdMasks(masks),
  });
  if (!run.finished) return undefined;
  return { ...outcomeOf(name, seed, run, began), density: masks && density(masks) };
}

function outcomeOf(
  name: string,
  seed: number,
  run: Awaited<ReturnType<typeof grokRun>>,
  start: number,
): RunOutcome {
  const { curve, times, loss } = run;
  return {
    name,
    seed,
    times,
    steps: curve[curve.length - 1].step,
    curve: thin(curve, 250),
    bestTest: Math.max(...curve.map((q) => q.test)),
    loss,
    seconds: (performance.now() - start) / 1000,
  };
}

/** At most about `limit` points, the last one among them. */
function thin(curve: readonly CurvePoint[], limit: number): CurvePoint[] {
  const every = Math.ceil(curve.length / limit);
  return curve.filter((_, i) => i % every === 0 || i === curve.length - 1);
}

function trainingBatch({ model, task, split }: StartContext): [Graph, ReturnType<typeof taskFeeds>] {
  const batched = rebatch(model, split.train.length);
  return [batched, taskFeeds(task, split.train, batched)];
}

/** Ones for the MLP's counts; a transformer reads the training samples, since tokens cannot be ones. */
function flowBatch(context: StartContext): [Graph, ReturnType<typeof taskFeeds>] {
  if (context.settings.model === "transformer") {
    const [model, { labels: _, ...feeds }] = trainingBatch(context);
    return [model, feeds];
  }
  const width = vocabularyOf(context.task);
  return [
    rebatch(context.model, 1),
    { counts: tensor("float32", [1, width], new Float32Array(width).fill(1)) },
  ];
}
