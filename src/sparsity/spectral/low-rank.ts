import type { Graph } from "../../engine/graph.ts";
import { parameter, valueNamed } from "../../engine/graph.ts";
import { tensor } from "../../engine/tensor.ts";
import { compose } from "../../linalg/compose.ts";
import { svd } from "../../linalg/svd.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { Problem } from "../../problem.ts";
import type { Measured } from "./footprint.ts";
import { measured } from "./footprint.ts";
import type { LinearMap } from "./linear-maps.ts";
import { chooseMaps } from "./linear-maps.ts";
import { replaceProducts } from "./products.ts";
import { mergedWeight, readMatrix, settleWeights } from "./weights.ts";

export interface LowRankOptions {
  rank: number;
  /** Which weights, by name; by default all `linearMaps` but output layers. */
  layers?: readonly string[] | ((weight: string) => boolean);
}

/**
 * Training in low rank from the start: W = U Vᵀ with both factors trained, and never anything else. They begin as the best
 * such approximation of the initial weight, its singular values shared out between them (Khodak et al. 2021).
 */
export function createLowRank(model: Graph, { rank, layers }: LowRankOptions): Sparsifier & Measured {
  const maps = chooseMaps(model, "low-rank", layers);
  if (!(Number.isInteger(rank) && rank > 0))
    throw new Problem(`low-rank: rank is ${rank}; take a whole number above 0`);
  let factors: Record<string, Float32Array> = {};
  const matrix = ({ weight, outputs, inputs }: LinearMap) => {
    const [left, right] = [factors[leftName(weight)], factors[rightName(weight)]];
    const values = new Float32Array(left.length / outputs).fill(1);
    return compose([{ left, values, right }], outputs, inputs);
  };
  const products = replaceProducts(maps, {
    declare: (map, weight) => {
      const { outputs, inputs } = map;
      const { left, values, right } = svd(
        readMatrix(map, model.parameters.get(map.weight)!),
        outputs,
        inputs,
      );
      const count = Math.min(rank, values.length);
      for (const [name, rows, width] of [
        [leftName(map.weight), left, outputs],
        [rightName(map.weight), right, inputs],
      ] as const) {
        const scaled = Float32Array.from(
          rows.subarray(0, count * width),
          (v, i) => v * Math.sqrt(values[Math.floor(i / width)]),
        );
        factors[name] = scaled;
        parameter(weight.graph, name, tensor("float32", [count, width], scaled));
      }
      model.parameters.set(
        map.weight,
        mergedWeight(map, weight.shape, () => matrix(map)),
      );
    },
    compute: ({ weight }, site) => {
      const value = (name: string) => valueNamed(site.graph, name);
      return site.up(site.down(value(rightName(weight))), value(leftName(weight)), site.bias);
    },
  });
  return measured({
    ...products,
    name: "low-rank",
    createOptimizer: ({ parameters }, own) => {
      factors = Object.fromEntries(Object.keys(factors).map((n) => [n, parameters.arrays[n]]));
      return own();
    },
    finish: () => settleWeights(model, maps),
  });
}

const leftName = (weight: string) => `${weight}/left`;
const rightName = (weight: string) => `${weight}/right`;
