import type { Graph } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import { analyzeChannels, streamPartition } from "../sparsity/channels.ts";
import type { GroupPartition } from "../sparsity/groups.ts";
import type { GroupedLayer, KAnneal } from "../sparsity/k-anneal.ts";
import { createKAnneal } from "../sparsity/k-anneal.ts";
import { methodOf } from "./methods.ts";
import { nearest } from "./nearest.ts";
import type { Recipe, SparsifierRecipe } from "./recipe.ts";

/** The sparsifier of a recipe for its model; undefined where the recipe has none. */
export function createRunSparsifier(graph: Graph, recipe: Recipe): KAnneal | undefined {
  if (!recipe.sparsifier) return undefined;
  const { method, keep, mode, metric, ...options } = recipe.sparsifier;
  const { optimizer } = recipe;
  if (optimizer.kind === "rmsprop")
    throw new Problem(
      `sparsifier: ${method} has an exact proximal step for sgd, adam and adamw, not for rmsprop; adam with betas: [0, ${optimizer.alpha}] is rmsprop with its bias corrected`,
    );
  const prunable = prunableLayers(graph);
  if (prunable.length === 0)
    throw new Problem(
      `nothing in ${recipe.model} can shrink: what its layers write is all part of its output, or used in a way that ties every channel to the rest`,
    );
  const { options: own, onScales } = methodOf(method);
  const layers = layersToKeep(prunable, keep);
  return createKAnneal({
    ...own,
    ...options,
    varianceReduction: own.varianceReduction || options.varianceReduction,
    fixedLambda: mode.kind === "fixed" ? mode.lambda : undefined,
    layers: onScales ? layers.map((layer) => ({ ...layer, gates: scalesOf(graph, layer) })) : layers,
    adam: optimizer.kind === "sgd" ? undefined : { ...optimizer, metric },
    momentum: optimizer.kind === "sgd" ? optimizer.momentum : undefined,
    seed: recipe.seed,
  });
}

/** The batch-norm scales among the weights of a layer's groups. */
function scalesOf(graph: Graph, { name, partition }: GroupedLayer): GroupPartition {
  const scales = new Set(graph.nodes.filter((n) => n.op === "BatchNormalization").map((n) => n.inputs[1]));
  const parts = partition.parts.filter(({ parameter }) => scales.has(parameter));
  if (parts.length === 0)
    throw new Problem(
      `slimming: no batch norm scales the channels of "${name}"; keep other layers, or use another method, such as group-lasso`,
    );
  return { groups: partition.groups, parts };
}

/** A stream of channels that can shrink, as groups of weights. */
export interface PrunableLayer {
  /** The first layer that writes the channels; with a residual sum there are several. */
  name: string;
  layers: readonly string[];
  partition: GroupPartition;
}

/** What of a graph can shrink, in graph order: no layer twice, and never the outputs. */
export function prunableLayers(graph: Graph): PrunableLayer[] {
  const chosen = new Set<string>();
  return analyzeChannels(graph).streams.flatMap((stream) => {
    const partition = stream.blocked === undefined ? streamPartition(graph, stream) : undefined;
    if (!partition?.parts.length || stream.crosses.some((name) => chosen.has(name))) return [];
    chosen.add(stream.name);
    return [{ name: stream.name, layers: stream.layers, partition }];
  });
}

function layersToKeep(prunable: readonly PrunableLayer[], keep: SparsifierRecipe["keep"]): GroupedLayer[] {
  if (typeof keep === "number")
    return prunable.map(({ name, partition }) => ({
      name,
      partition,
      keep: Math.max(1, Math.round(keep * partition.groups)),
    }));
  const taken = new Map<PrunableLayer, string>();
  return Object.entries(keep).map(([name, count]) => {
    const found = prunable.find((l) => l.name === name) ?? prunable.find((l) => l.layers.includes(name));
    const other = found && taken.get(found);
    if (other) throw new Problem(`keep: "${other}" and "${name}" write the same channels; name one of them`);
    if (found) taken.set(found, name);
    if (found) return { name, partition: found.partition, keep: count };
    const names = prunable.map((l) => l.name);
    const near = nearest(name, names);
    throw new Problem(
      `keep: there is no layer "${name}" that can shrink${near ? `; did you mean "${near}"?` : ""}; ` +
        `there are ${names.join(", ")}`,
    );
  });
}
