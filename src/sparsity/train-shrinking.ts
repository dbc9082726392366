import type { Graph } from "../engine/graph.ts";
import { initializer } from "../engine/graph.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { TrainingResult, TrainingSnapshot, TrainingSource, TrainOptions } from "../nn/trainer.ts";
import { train } from "../nn/trainer.ts";
import type { Objective } from "../nn/training-step.ts";
import { accountModel } from "./accounting.ts";
import type { Cut, Living } from "./cut.ts";
import { cutDead, cutPartition, gather, scatter } from "./cut.ts";
import type { Arrays, GroupPartition } from "./groups.ts";
import { groupRms, scaleGroups } from "./groups.ts";
import type { KAnneal, KAnnealOptions } from "./k-anneal.ts";
import { createKAnneal } from "./k-anneal.ts";
import { heldIn } from "./k-anneal-state.ts";

/** Share of the multiplications that has to go before a step is compiled anew. */
const WORTHWHILE = 0.1;

export interface TrainShrinkingOptions extends Omit<TrainOptions, "sparsifier" | "evaluate"> {
  /** Without one this is `train`. */
  sparsifier?: KAnnealOptions;
  /** Figures of the network as it stands, which computes what the original would. */
  evaluate?: (model: Graph) => Promise<Record<string, number>>;
  /** False: the original network is trained to the end. */
  shrinkWhileTraining?: boolean;
  /** Hears of every smaller network, before the first step of the epoch (from 0) that trains it. */
  onShrink?: (smaller: { epoch: number; macs: number }) => void;
}

export interface ShrunkTraining extends TrainingResult {
  /** As it ended; it counts the groups of the original network. */
  sparsifier: KAnneal | undefined;
}

/**
 * Trains like `train`, but goes on with a smaller network after an epoch that has left at least a tenth of the
 * multiplications without influence, because their groups are dead for good. The model gets the trained weights in the
 * end, with zeros for all that was taken out.
 *
 * The function that is learnt is the same to rounding once nothing is selected any more. During selection it may differ,
 * for weights that read a dead channel no longer count in the norms of their own groups.
 *
 * Snapshots are those of the original network, and say what was taken out: training resumes exactly.
 */
export async function trainShrinking(
  model: Graph,
  objective: Objective,
  source: TrainingSource,
  options: TrainShrinkingOptions,
): Promise<ShrunkTraining> {
  const { sparsifier: method, evaluate, shrinkWhileTraining = true } = options;
  const layers = method?.layers ?? [];
  const possible = method && shrinkWhileTraining && ownsStatistics(model);
  const smallerWith = (living: Living): Smaller => ({ living, ...cutDead(model, layers, living) });
  let snapshot = options.resume;
  const before = snapshot && livingIn(snapshot);
  let smaller = before && smallerWith(before);

  /** A network that is worth the change, given what the sparsifier holds at zero. */
  const worthwhile = (state: unknown): Smaller | undefined => {
    if (!possible) return undefined;
    const living = heldIn(state);
    if (sameLiving(living, smaller?.living ?? [])) return undefined;
    const next = smallerWith(living);
    return macsOf(next.graph) <= (1 - WORTHWHILE) * macsOf(smaller?.graph ?? model) ? next : undefined;
  };

  for (;;) {
    // Decided here for a pause and a resume alike, so that both go on with the same network.
    if (snapshot?.progress.stepInEpoch === 0 && snapshot.progress.epoch < options.epochs) {
      const next = worthwhile(snapshot.sparsifier);
      if (next) options.onShrink?.({ epoch: snapshot.progress.epoch, macs: macsOf(next.graph) });
      smaller = next ?? smaller;
    }
    const now = smaller;
    const graph = now?.graph ?? model;
    const sparsifier = method && createKAnneal(now ? cutMethod(method, now) : method);
    let latest: (() => TrainingSnapshot) | undefined;
    let paused = false;
    const result = await train(graph, objective, source, {
      ...options,
      sparsifier,
      evaluate: evaluate && (() => evaluate(graph)),
      resume: snapshot && now ? narrowed(snapshot, now, options) : snapshot,
      save: async (take) => {
        latest = () => (now ? widened(take(), now, model) : take());
        await options.save?.(latest);
      },
      stopWhen: (history) => {
        if (options.stopWhen?.(history)) return true;
        paused = history.length < options.epochs && worthwhile(sparsifier?.state?.()) !== undefined;
        return paused;
      },
    });
    if (!paused) {
      if (now) putBack(now, model);
      return { ...result, sparsifier };
    }
    snapshot = latest!();
  }
}

/** A smaller network with the groups that were living when it was made. */
interface Smaller extends Cut {
  living: Living;
}

function sameLiving(a: Living, b: Living): boolean {
  return a.every((mask, i) => {
    const other = b[i];
    return mask && other
      ? Array.prototype.every.call(mask, (alive, j) => alive === other[j])
      : !mask && !other;
  });
}

function macsOf(graph: Graph): number {
  return accountModel(graph).total.macs;
}

/** Running statistics that several batch norms share cannot be cut apart. */
function ownsStatistics({ nodes }: Graph): boolean {
  const names = nodes.flatMap(({ op, inputs }) => (op === "BatchNormalization" ? inputs.slice(3, 5) : []));
  return new Set(names).size === names.length;
}

function cutMethod(method: KAnnealOptions, cut: Cut): KAnnealOptions {
  return {
    ...method,
    layers: method.layers.map((layer) => ({
      ...layer,
      partition: cutPartition(layer.partition, cut),
      gates: layer.gates && cutPartition(layer.gates, cut),
    })),
  };
}

/** The groups that were living when the network of a snapshot was made; undefined where it is the original. */
function livingIn({ sparsifier }: TrainingSnapshot): Living | undefined {
  return (sparsifier as { livingWhenCut?: Living } | undefined)?.livingWhenCut;
}

/** A snapshot of the smaller network as one of the original. */
function widened(snapshot: TrainingSnapshot, { living, origins }: Smaller, model: Graph): TrainingSnapshot {
  const tensors = Object.entries(snapshot.tensors).map(([key, { data }]) => {
    const { shape, data: whole } = initializer(model, nameIn(key))!;
    const wide = new Float32Array(whole.length);
    scatter(data as Float32Array, origins.get(nameIn(key))!, wide);
    return [key, { dtype: "float32", shape, data: wide }] as const;
  });
  return {
    ...snapshot,
    tensors: Object.fromEntries(tensors),
    sparsifier: { ...(snapshot.sparsifier as object), livingWhenCut: living },
  };
}

/** The reverse, for a snapshot that may be one of a larger network. */
function narrowed(
  snapshot: TrainingSnapshot,
  cut: Smaller,
  { sparsifier, optimizer }: TrainShrinkingOptions,
): TrainingSnapshot {
  const tensors: Record<string, Tensor> = {};
  for (const [key, { data }] of Object.entries(snapshot.tensors)) {
    const origin = cut.origins.get(nameIn(key));
    if (!origin) continue;
    const narrow = new Float32Array(origin.length);
    gather(data as Float32Array, origin, narrow);
    tensors[key] = { dtype: "float32", shape: initializer(cut.graph, nameIn(key))!.shape, data: narrow };
  }
  const { layers, metric = "block" } = sparsifier!;
  if (["adam", "adamw"].includes(optimizer.kind) && metric === "block")
    for (const { partition } of layers)
      keepBlockMetric(
        partition,
        secondMoments(snapshot.tensors),
        cutPartition(partition, cut),
        secondMoments(tensors),
      );
  return { ...snapshot, tensors };
}

/** A checkpoint's name without the kind of array that it starts with. */
function nameIn(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}

function secondMoments(tensors: TrainingSnapshot["tensors"]): Arrays {
  const own = Object.entries(tensors).filter(([key]) => key.startsWith("secondMoment/"));
  return Object.fromEntries(own.map(([key, { data }]) => [nameIn(key), data as Float32Array]));
}

/**
 * Block Adam knows only the sum of a group's second moments, which is what it would be with the moments of what was taken
 * out: these go to what stays.
 */
function keepBlockMetric(
  partition: GroupPartition,
  moments: Arrays,
  cut: GroupPartition,
  cutMoments: Arrays,
): void {
  const [whole, left] = [groupRms(partition, moments), groupRms(cut, cutMoments)];
  scaleGroups(
    cut,
    cutMoments,
    whole.map((rms, j) => (left[j] > 0 ? (rms / left[j]) ** 2 : 1)),
  );
}

/** Writes what was learnt to the original network. */
function putBack({ graph, origins }: Cut, model: Graph): void {
  // Arrays of its own: those that it has may be another network's too.
  for (const [name, t] of model.parameters)
    model.parameters.set(name, { ...t, data: new Float32Array(t.data.length) });
  for (const [name, origin] of origins) {
    const [from, to] = [initializer(graph, name)!, initializer(model, name)!];
    scatter(from.data as Float32Array, origin, to.data as Float32Array);
  }
}
