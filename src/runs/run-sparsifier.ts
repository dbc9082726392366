import type { Graph } from "../engine/graph.ts";
import { Problem } from "../problem.ts";
import { createBudget } from "../sparsity/groups/budget.ts";
import type { GroupSet } from "../sparsity/groups/group-set.ts";
import { findGroups } from "../sparsity/groups/kinds.ts";
import type { GroupPartition } from "../sparsity/groups.ts";
import { joinPartitions } from "../sparsity/groups.ts";
import type { GroupedLayer, KAnneal, KAnnealOptions } from "../sparsity/k-anneal.ts";
import { createKAnneal } from "../sparsity/k-anneal.ts";
import type { KeepCounts } from "./budget.ts";
import { countsWithin, keepShare, parseBudget, planBudget, roundedUp } from "./budget.ts";
import { methodOf } from "./methods.ts";
import { nearest } from "./nearest.ts";
import type { Recipe, SparsifierRecipe } from "./recipe.ts";

/** The sparsifier of a recipe for its model; undefined where the recipe has none. */
export function createRunSparsifier(graph: Graph, recipe: Recipe): KAnneal | undefined {
  return recipe.sparsifier
    ? createKAnneal(runSparsifierOptions(graph, recipe, recipe.sparsifier))
    : undefined;
}

/** The same, not yet made. */
export function runSparsifierOptions(
  graph: Graph,
  recipe: Recipe,
  sparsifier: SparsifierRecipe,
): KAnnealOptions {
  const {
    method,
    groups,
    keep,
    budget,
    round,
    mode,
    metric,
    shrinkWhileTraining: _,
    ...options
  } = sparsifier;
  const { optimizer } = recipe;
  if (optimizer.kind === "rmsprop")
    throw new Problem(
      `sparsifier: ${method} has an exact proximal step for sgd, adam and adamw, not for rmsprop; adam with betas: [0, ${optimizer.alpha}] is rmsprop with its bias corrected`,
    );
  const { options: own, onScales } = methodOf(method);
  const layers = layersToKeep(graph, findGroups(graph, groups), { keep, budget, round });
  return {
    ...own,
    ...options,
    varianceReduction: own.varianceReduction || options.varianceReduction,
    fixedLambda: mode.kind === "fixed" ? mode.lambda : undefined,
    layers: onScales ? layers.map((layer) => ({ ...layer, gates: scalesOf(graph, layer) })) : layers,
    adam: optimizer.kind === "sgd" ? undefined : { ...optimizer, metric },
    momentum: optimizer.kind === "sgd" ? optimizer.momentum : undefined,
    seed: recipe.seed,
  };
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

/**
 * The regularisers of a recipe: one a set with its own count, or one over all sets with a budget. With `round` the budget is
 * shared out beforehand, by the weights as they are, for widths cannot snap to blocks while groups are still dying.
 */
function layersToKeep(
  graph: Graph,
  sets: readonly GroupSet[],
  { keep, budget, round }: Pick<SparsifierRecipe, "keep" | "budget" | "round">,
): GroupedLayer[] {
  if (budget !== null) {
    const choice = planBudget(graph, sets, parseBudget(budget), { round });
    if (round > 1) return byCounts(sets, countsWithin(graph, sets, choice), 1);
    const partition = joinPartitions(sets.map((s) => s.partition));
    return [{ name: "network", partition, keep: createBudget(choice) }];
  }
  return byCounts(sets, typeof keep === "number" ? keepShare(sets, keep) : keep!, round);
}

function byCounts(sets: readonly GroupSet[], keep: KeepCounts, round: number): GroupedLayer[] {
  const taken = new Map<GroupSet, string>();
  return Object.entries(keep).map(([name, count]) => {
    const found = sets.find((s) => s.name === name) ?? sets.find((s) => s.layers.includes(name));
    const other = found && taken.get(found);
    if (other) throw new Problem(`keep: "${other}" and "${name}" write the same channels; name one of them`);
    if (found) taken.set(found, name);
    const { partition } = found ?? {};
    if (partition)
      return {
        name,
        partition,
        keep: count > partition.groups ? count : roundedUp(count, partition.groups, round),
      };
    const names = sets.map((s) => s.name);
    const near = nearest(name, names);
    throw new Problem(
      `keep: there is no layer "${name}" that can shrink${near ? `; did you mean "${near}"?` : ""}; ` +
        `there are ${names.join(", ")}`,
    );
  });
}
