import type { Graph } from "../engine/graph.ts";
import { cloneGraph } from "../engine/graph.ts";
import { freshWeights } from "../nn/fresh-weights.ts";
import { Problem } from "../problem.ts";
import type { GroupSet } from "../sparsity/groups/group-set.ts";
import { findGroups } from "../sparsity/groups/kinds.ts";
import type { GroupPartition } from "../sparsity/groups.ts";
import { groupSizes } from "../sparsity/groups.ts";
import type { GroupedLayer, KAnnealOptions, LayerOutcome } from "../sparsity/k-anneal.ts";
import { createKAnneal } from "../sparsity/k-anneal.ts";
import { requireProximal } from "../sparsity/k-anneal-options.ts";
import { requireSelection } from "../sparsity/phases.ts";
import {
  byCounts,
  countsWithin,
  keepShare,
  parseBudget,
  planBudget,
  withCounts,
  withinBudget,
} from "./budget.ts";
import { excludeLayers } from "./exclude-layers.ts";
import { methodOf } from "./methods.ts";
import type { Recipe, SparsifierRecipe } from "./recipe.ts";

/** What a recipe trains, and how it gets small. */
export interface Start {
  /** The model itself, or for `scratch` the small shape with fresh weights. */
  graph: Graph;
  method?: KAnnealOptions;
  /** Of a network that was small from the start, what it has. */
  outcomes?: LayerOutcome[];
}

/** A recipe for its model, made ready to train. What the method refuses is refused here. */
export function startRun(graph: Graph, recipe: Recipe): Start {
  const { sparsifier } = recipe;
  if (!sparsifier) return { graph };
  if (methodOf(sparsifier.method).reference === "fresh") return smallFromTheStart(graph, recipe, sparsifier);
  const method = runSparsifierOptions(graph, recipe, sparsifier);
  createKAnneal(method);
  return { graph, method };
}

function groupsOf(graph: Graph, { groups, exclude }: SparsifierRecipe): readonly GroupSet[] {
  return excludeLayers(graph, findGroups(graph, groups), exclude);
}

/** The shape that the recipe asks for: of the model nothing is kept but what its norms say about a budget. */
function smallFromTheStart(graph: Graph, { seed }: Recipe, sparsifier: SparsifierRecipe): Start {
  const sets = groupsOf(graph, sparsifier);
  if (sets.some(({ stream }) => stream === undefined))
    throw new Problem(
      "scratch starts with fewer channels, and groups of this kind are none; choose filter, zero-invariant, channel or neuron",
    );
  const layers = layersToKeep(graph, sets, sparsifier);
  const counts = layers.map(({ partition, keep }) => {
    const { name } = sets.find((s) => s.partition === partition)!;
    return [name, keep as number] as const;
  });
  const small = cloneGraph(withCounts(graph, sets, Object.fromEntries(counts)));
  freshWeights(small, seed);
  const outcomes = layers.map(({ name, partition: { groups } }, i): LayerOutcome => {
    const [, keep] = counts[i];
    return { name, groups, keep, natural: keep, epoch: 0, lambda: 0, forced: 0, undecided: [] };
  });
  return { graph: small, outcomes };
}

/** The sparsifier of a recipe for its model, not yet made. */
function runSparsifierOptions(graph: Graph, recipe: Recipe, sparsifier: SparsifierRecipe): KAnnealOptions {
  const {
    method,
    groups: _groups,
    exclude: _exclude,
    keep: _keep,
    budget: _budget,
    round: _round,
    mode,
    shrinkWhileTraining: _shrinkWhileTraining,
    ...options
  } = sparsifier;
  const { options: own, onScales } = methodOf(method);
  const layers = layersToKeep(graph, groupsOf(graph, sparsifier), sparsifier);
  const found: KAnnealOptions = {
    ...own,
    ...options,
    varianceReduction: own.varianceReduction || options.varianceReduction,
    fixedLambda: mode.kind === "fixed" ? mode.lambda : undefined,
    layers: onScales ? layers.map((layer) => ({ ...layer, gates: scalesOf(graph, layer) })) : layers,
    seed: recipe.seed,
  };
  requireProximal(recipe.optimizer, found);
  requireSelection(found, recipe.epochs);
  return found;
}

/** The batch-norm scales among the weights of a layer's groups. */
function scalesOf(graph: Graph, { name, partition }: GroupedLayer): GroupPartition {
  const scales = scalesIn(graph, partition);
  if (!scales)
    throw new Problem(
      `slimming: no batch norm scales the channels of "${name}"; keep other layers, or use another method, such as group-lasso`,
    );
  return scales;
}

/** Undefined where a group has none. */
function scalesIn(graph: Graph, { groups, parts }: GroupPartition): GroupPartition | undefined {
  const scales = new Set(graph.nodes.filter((n) => n.op === "BatchNormalization").map((n) => n.inputs[1]));
  const own = { groups, parts: parts.filter(({ parameter }) => scales.has(parameter)) };
  return groupSizes(own).every((size) => size > 0) ? own : undefined;
}

/**
 * The regularisers of a recipe: one a set with its own count, or one over all sets with a budget. With `round` the budget is
 * shared out beforehand, by the weights as they are, for widths cannot snap to blocks while groups are still dying.
 */
function layersToKeep(
  graph: Graph,
  sets: readonly GroupSet[],
  { method, keep, budget, round }: SparsifierRecipe,
): GroupedLayer[] {
  const { reference, onScales } = methodOf(method);
  if (reference === "whole") return byCounts(sets, keepShare(sets, 1), 1);
  if (budget !== null) {
    // A budget names no layers, so those that slimming cannot judge stay whole.
    const judged = onScales ? sets.filter(({ partition }) => scalesIn(graph, partition)) : sets;
    const able = judged.length > 0 ? judged : sets;
    if (round === 1 && reference !== "fresh") return [withinBudget(graph, able, budget)];
    const choice = planBudget(graph, able, parseBudget(budget), { round });
    return byCounts(able, countsWithin(graph, able, choice), 1);
  }
  return byCounts(sets, typeof keep === "number" ? keepShare(sets, keep) : keep!, round);
}
