import type { Dataset } from "../../data/dataset.ts";
import type { Graph } from "../../engine/graph.ts";
import type { CurvePoint, GrokTimes } from "./detector.ts";
import { grokRun } from "./grok-run.ts";
import { holdMasks } from "./hold-masks.ts";
import type { Masks, Weights } from "./masks.ts";
import { density, loadWeights, magnitudeMasks, maskWeights, weightsOf } from "./masks.ts";
import { createMoments } from "./moments.ts";
import { runDefinitions } from "./run-definitions.ts";
import type { ExperimentSettings } from "./settings.ts";
import { buildModel, createLesson } from "./settings.ts";
import { smallerTicket } from "./smaller-ticket.ts";
import type { Snapshot } from "./snapshot.ts";
import { snapshotOf } from "./snapshot.ts";
import type { Trace } from "./trace.ts";
import { createTrace, neuronLayer } from "./trace.ts";

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
  /** Weights of the network that was trained: a ticket without what its mask has cut off. */
  parameters: number;
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
  /** Hears what the network looks like, after evaluations and at most four times a second. */
  onSnapshot?: (snapshot: Snapshot) => void;
  signal?: AbortSignal;
  /** The images of a task that has any. */
  images?: Dataset;
}

/** Trains the dense network until it has generalised for good and `after` steps more. Undefined where the signal stopped it. */
export async function runBase(
  settings: ExperimentSettings,
  seed: number,
  hooks: RunHooks = {},
): Promise<BaseOutcome | undefined> {
  const start = performance.now();
  const model = buildModel(settings, seed);
  const lesson = createLesson(settings, seed, model, hooks.images);
  const moments = createMoments(lesson.threshold);
  const trace = createTrace(settings);
  const show = snapshots(settings, hooks, { model });
  const run = await grokRun(model, lesson, {
    ...settings,
    steps: settings.baseSteps,
    holdFor: settings.after,
    signal: hooks.signal,
    onPoint: (point, weights) => {
      moments.observe(point, weights);
      trace.observe(point, weights);
      hooks.onPoint?.(point);
      show(point, weights);
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

/** What the other runs of a seed take from those before them. */
export interface Forerunners {
  /** Weights of the base network at the moments that tickets are taken from. */
  moments: ReadonlyMap<string, Weights>;
  /** Needed for `giveUp`. */
  ticket?: RunOutcome;
}

/** One of the other runs. Undefined where the signal stopped it or the base has no such moment. */
export async function runVariant(
  settings: ExperimentSettings,
  seed: number,
  name: string,
  { moments, ticket }: Forerunners,
  hooks: RunHooks = {},
): Promise<RunOutcome | undefined> {
  const began = performance.now();
  const model = buildModel(settings, seed);
  const lesson = createLesson(settings, seed, model, hooks.images);
  const definition = runDefinitions(settings).get(name)!;
  const { signal } = hooks;
  const start = await definition.start({
    settings,
    seed,
    initial: weightsOf(model),
    ticket: (ratio = settings.ratio) => magnitudeMasks(moments.get("ticket")!, ratio),
    moment: (moment) => moments.get(moment),
    model,
    lesson,
    train: async (weights, masks) => {
      const copy = buildModel(settings, seed);
      loadWeights(copy, weights);
      const options = { ...settings, signal, holdFor: settings.after, sparsifier: holdMasks(masks) };
      return (await grokRun(copy, lesson, options)).weights;
    },
  });
  if (!start) return undefined;
  const { weights, masks, search } = start;
  loadWeights(model, masks ? maskWeights(weights, masks) : weights);
  // A mask cuts neurons off: without them the network learns the same in fewer operations.
  const trained = masks ? smallerTicket(model, masks) : { model, masks };
  const show = snapshots(settings, hooks, trained);
  const run = await grokRun(trained.model, lesson, {
    ...settings,
    signal,
    onPoint: (point, live) => {
      hooks.onPoint?.(point);
      show(point, live);
    },
    steps: definition.group === "tickets" ? settings.steps : stepLimit(settings, ticket),
    weightDecay: definition.weightDecay ?? settings.weightDecay,
    holdFor: Math.min(settings.after, 300),
    sparsifier: search ?? (trained.masks && holdMasks(trained.masks)),
  });
  if (!run.finished) return undefined;
  const found = search ? search.masks() : masks;
  return { ...outcomeOf(name, seed, run, began), density: found && density(found) };
}

const SNAPSHOT_MS = 250;

function snapshots(
  settings: ExperimentSettings,
  { onSnapshot }: RunHooks,
  { model, masks }: { model: Graph; masks?: Masks },
) {
  // A ticket may have fewer neurons, or none.
  const hidden = model.parameters.get(neuronLayer(settings))?.shape[0];
  let last = Number.NEGATIVE_INFINITY;
  return (point: CurvePoint, weights: Weights) => {
    if (!onSnapshot || hidden === undefined || performance.now() - last < SNAPSHOT_MS) return;
    last = performance.now();
    onSnapshot(snapshotOf({ ...settings, hidden }, point, weights, masks));
  };
}

/** A control that has not generalised by then has lost to the ticket. */
export function stepLimit({ steps, giveUp }: ExperimentSettings, ticket: RunOutcome | undefined): number {
  const time = ticket?.times.generalisedForGood;
  return giveUp && time !== undefined
    ? Math.min(steps, Math.max(giveUp.least, Math.ceil(giveUp.times * time)))
    : steps;
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
    parameters: [...run.weights.values()].reduce((sum, w) => sum + w.length, 0),
    seconds: (performance.now() - start) / 1000,
  };
}

/** At most about `limit` points, the last one among them. */
function thin(curve: readonly CurvePoint[], limit: number): CurvePoint[] {
  const every = Math.ceil(curve.length / limit);
  return curve.filter((_, i) => i % every === 0 || i === curve.length - 1);
}
