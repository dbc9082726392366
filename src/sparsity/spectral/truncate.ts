import type { Graph } from "../../engine/graph.ts";
import { parameter, valueNamed } from "../../engine/graph.ts";
import { replay } from "../../engine/replay.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { tensor } from "../../engine/tensor.ts";
import type { Triplets } from "../../linalg/compose.ts";
import { compose } from "../../linalg/compose.ts";
import { svd } from "../../linalg/svd.ts";
import { Problem } from "../../problem.ts";
import type { SecondMoments } from "./calibrate.ts";
import { whiten } from "./calibrate.ts";
import type { LinearMap } from "./linear-maps.ts";
import { chooseMaps } from "./linear-maps.ts";
import { replaceProducts } from "./products.ts";
import { storeAsRead } from "./store-as-read.ts";
import { readMatrix, storedWeight } from "./weights.ts";

/**
 * How many singular values of a layer stay (sst.md 3.10): the fewest whose sum is `share` of all (`sum`), or the sum of
 * whose squares is (`energy`), or so many.
 */
export type TruncationRule = { kind: "sum" | "energy"; share: number } | { kind: "rank"; rank: number };

export interface TruncateOptions {
  rule: TruncationRule;
  /** Which weights, by name; by default all `linearMaps` but output layers. */
  layers?: readonly string[] | ((weight: string) => boolean);
  /** Second moments of each layer's inputs: then what is cut is what those inputs miss least. */
  moments?: SecondMoments;
  /** Which form a layer takes where values are cut; by default two factors where they have fewer weights, else `merged`. */
  form?: (layer: Omit<TruncatedLayer, "form">) => LayerForm;
}

/** Two thin products; one weight of low rank; or the weight as it was. */
export type LayerForm = "factors" | "merged" | "whole";

export interface TruncatedLayer {
  weight: string;
  outputs: number;
  inputs: number;
  /** Singular values that the rule keeps, and those that there were. */
  rank: number;
  of: number;
  /** ‖W − W′‖: without `moments` exactly √Σ of the squares of those cut; 0 of a `whole` weight. */
  error: number;
  form: LayerForm;
}

/** How many of falling singular values a rule keeps; at least one. */
export function keptRank(values: ArrayLike<number>, rule: TruncationRule): number {
  if (rule.kind === "rank") return Math.min(rule.rank, values.length);
  const weight = (v: number) => (rule.kind === "sum" ? v : v * v);
  let total = 0;
  for (let i = 0; i < values.length; i++) total += weight(values[i]);
  let sum = 0;
  for (let rank = 1; rank < values.length; rank++) {
    sum += weight(values[rank - 1]);
    // Sums of all values in two orders may differ in the last digit.
    if (sum >= rule.share * total * (1 - 1e-12)) return rank;
  }
  return values.length;
}

/** What stays of one layer: W′ = Σ valuesᵢ leftᵢ rightᵢᵀ. */
export interface Cut extends Triplets {
  readonly map: LinearMap;
  readonly layer: Omit<TruncatedLayer, "form">;
  /** W′ as the model stores it. */
  readonly merged: Tensor<"float32">;
}

/**
 * The same model with the small singular values of its linear maps cut off: an ordinary graph, in which a layer is two
 * thin products where that pays and one weight of low rank elsewhere. No weight of the same rank is nearer to the original
 * (Eckart, Young and Mirsky). The model stays as it is.
 */
export function truncateSpectra(
  model: Graph,
  options: TruncateOptions,
): { graph: Graph; layers: TruncatedLayer[] } {
  return withCuts(model, cutSpectra(model, options), options.form);
}

/** What `truncateSpectra` keeps of each layer. */
export function cutSpectra(model: Graph, { rule, layers, moments }: Omit<TruncateOptions, "form">): Cut[] {
  if (rule.kind !== "rank" && !(rule.share > 0 && rule.share <= 1))
    throw new Problem(`truncate: the share is ${rule.share}; take one above 0 and up to 1`);
  if (rule.kind === "rank" && !(Number.isInteger(rule.rank) && rule.rank > 0))
    throw new Problem(`truncate: the rank is ${rule.rank}; take a whole number above 0`);
  return chooseMaps(model, "truncate", layers).map((map) => {
    const { weight, outputs, inputs } = map;
    const original = model.parameters.get(weight)!;
    const matrix = readMatrix(map, original);
    const kept = cut(map, matrix, rule, moments);
    const [rank, of] = [kept.values.length, Math.min(outputs, inputs)];
    const product = compose([kept], outputs, inputs);
    let error = 0;
    for (let i = 0; i < product.length; i++) error += (product[i] - matrix[i]) ** 2;
    return {
      ...kept,
      map,
      layer: { weight, outputs, inputs, rank, of, error: Math.sqrt(error) },
      merged: storedWeight(map, original.shape, product),
    };
  });
}

/** The model with those layers; by default each in the form that has fewer weights. */
export function withCuts(
  model: Graph,
  cuts: readonly Cut[],
  form: TruncateOptions["form"] = (layer) => (hasFewerWeights(layer) ? "factors" : "merged"),
): { graph: Graph; layers: TruncatedLayer[] } {
  const formed = cuts.map((c) => ({
    ...c,
    form: c.layer.rank < c.layer.of ? form(c.layer) : ("whole" satisfies LayerForm),
  }));
  const changed = new Map(formed.filter((c) => c.form !== "whole").map((c) => [c.map.weight, c]));
  const factors = new Set<string>();
  const { reparameterize, replaceNode } = replaceProducts(
    [...changed.values()].map((c) => c.map),
    {
      declare: ({ weight, outputs, inputs }, { graph }) => {
        const { form, merged, left, values, right } = changed.get(weight)!;
        if (form === "merged") {
          parameter(graph, denseName(weight), merged);
          return;
        }
        const scaled = Float32Array.from(left, (v, i) => v * values[Math.floor(i / outputs)]);
        const rows = Float32Array.from(right);
        parameter(graph, leftName(weight), tensor("float32", [values.length, outputs], scaled));
        parameter(graph, rightName(weight), tensor("float32", [values.length, inputs], rows));
        factors.add(leftName(weight)).add(rightName(weight));
      },
      compute: ({ weight }, site) => {
        const value = (name: string) => valueNamed(site.graph, name);
        return changed.get(weight)!.form === "merged"
          ? site.dense(value(denseName(weight)), site.bias)
          : site.up(site.down(value(rightName(weight))), value(leftName(weight)), site.bias);
      },
    },
  );
  const graph = replay(model, { parameter: reparameterize, node: replaceNode });
  storeAsRead(graph, factors);
  const layers = formed.map(({ layer, form }) => ({
    ...layer,
    error: form === "whole" ? 0 : layer.error,
    form,
  }));
  return { graph, layers };
}

/** The triplets that stay. With moments those of W C^½, whose right side C^−½ takes back. */
function cut(map: LinearMap, matrix: Float32Array, rule: TruncationRule, moments?: SecondMoments) {
  const { outputs, inputs } = map;
  const moment = moments?.get(map.weight);
  const whitened = moment && whiten(matrix, outputs, inputs, moment);
  const { left, values, right } = svd(whitened?.matrix ?? matrix, outputs, inputs);
  const rank = keptRank(values, rule);
  const rows = right.subarray(0, rank * inputs);
  return {
    left: left.subarray(0, rank * outputs),
    values: values.subarray(0, rank),
    right: whitened ? whitened.back(rows, rank) : rows,
  };
}

/** Whether two factors have fewer weights than their product. */
export function hasFewerWeights({ outputs, inputs, rank }: Cut["layer"]): boolean {
  return rank * (outputs + inputs) < outputs * inputs;
}

const leftName = (weight: string) => `${weight}/left`;
const rightName = (weight: string) => `${weight}/right`;
const denseName = (weight: string) => `${weight}/cut`;
