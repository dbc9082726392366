import type { Graph } from "../../engine/graph.ts";
import type { FlatArrays } from "../../engine/parameters.ts";
import { flatArrays } from "../../engine/parameters.ts";
import { multiply } from "../../linalg/product.ts";
import { svd } from "../../linalg/svd.ts";
import type { Optimizer, OptimizerTarget } from "../../nn/optimizers.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { Problem } from "../../problem.ts";
import type { Measured } from "./footprint.ts";
import { measured } from "./footprint.ts";
import type { LinearMap } from "./linear-maps.ts";
import { chooseMaps } from "./linear-maps.ts";
import { readMatrix } from "./weights.ts";

export interface GaloreOptions {
  rank: number;
  /** Which weights, by name; by default all `linearMaps` but output layers. */
  layers?: readonly string[] | ((weight: string) => boolean);
  /** Steps between two projections. Default 200. */
  gap?: number;
  /** Factor on the projected step. Default .25. */
  scale?: number;
  betas?: readonly [number, number];
  epsilon?: number;
}

/**
 * GaLore (Zhao et al. 2024): weights and gradients are whole, but Adam sees the gradient's projection on its own `rank`
 * strongest directions on the shorter side, found anew every `gap` steps; moments are kept across. Everything else has the
 * trainer's optimiser.
 */
export function createGalore(model: Graph, options: GaloreOptions): Sparsifier & Measured {
  const { rank, gap = 200, scale = 0.25, betas = [0.9, 0.999], epsilon = 1e-8, layers } = options;
  const maps = chooseMaps(model, "galore", layers);
  if (!(Number.isInteger(rank) && rank > 0))
    throw new Problem(`galore: rank is ${rank}; take a whole number above 0`);
  return measured({
    name: "galore",
    createOptimizer: (target, own) => {
      const projected = new Set(maps.map((m) => m.weight));
      const others = own((name) => !projected.has(name));
      const state = projectedState(maps, rank);
      const step = others.step.bind(others);
      return Object.assign(others, {
        state: { ...others.state, ...state },
        step: (learningRate: number) => {
          step(learningRate);
          const age = others.steps;
          for (const map of maps) {
            const rate = learningRate * (target.rate?.(map.weight) ?? 1);
            if ((age - 1) % gap === 0) project(map, target.gradients, state.projection);
            move(map, target, state, { rate, age, scale, betas, epsilon });
          }
        },
      }) satisfies Optimizer;
    },
  });
}

/** Rows of the projection are directions of the outputs where they are fewer, else of the inputs. */
function projectedState(maps: readonly LinearMap[], rank: number) {
  const shapes = (pick: (map: LinearMap, count: number) => readonly number[]) =>
    flatArrays(maps.map((m) => [m.weight, pick(m, Math.min(rank, m.outputs, m.inputs))] as const));
  const long: Parameters<typeof shapes>[0] = (m, count) => [count, Math.max(m.outputs, m.inputs)];
  return {
    projectedFirstMoment: shapes(long),
    projectedSecondMoment: shapes(long),
    projection: shapes((m, count) => [count, Math.min(m.outputs, m.inputs)]),
  };
}

const onOutputs = ({ outputs, inputs }: LinearMap) => outputs < inputs;

function project(map: LinearMap, gradients: FlatArrays, projection: FlatArrays): void {
  const { left, right } = svd(readMatrix(map, gradients.tensors.get(map.weight)!), map.outputs, map.inputs);
  const rows = projection.arrays[map.weight];
  rows.set((onOutputs(map) ? left : right).subarray(0, rows.length));
}

/** W ← W − rate·scale·P (Adam of Pᵀ G), or with P on the other side. */
function move(
  map: LinearMap,
  { parameters, gradients, weightDecay }: OptimizerTarget,
  state: ReturnType<typeof projectedState>,
  rule: { rate: number; age: number; scale: number; betas: readonly [number, number]; epsilon: number },
): void {
  const { weight, outputs, inputs } = map;
  const short = Math.min(outputs, inputs);
  const rows = state.projection.arrays[weight];
  const p = { data: rows, rows: rows.length / short, columns: short };
  const g = { data: readMatrix(map, gradients.tensors.get(weight)!), rows: outputs, columns: inputs };
  const coordinates = multiply(p, { ...g, turned: !onOutputs(map) });
  const first = state.projectedFirstMoment.arrays[weight];
  const second = state.projectedSecondMoment.arrays[weight];
  const [beta1, beta2] = rule.betas;
  const [bias1, bias2] = [1 - beta1 ** rule.age, 1 - beta2 ** rule.age];
  for (let i = 0; i < coordinates.length; i++) {
    const v = coordinates[i];
    first[i] = beta1 * first[i] + (1 - beta1) * v;
    second[i] = beta2 * second[i] + (1 - beta2) * v * v;
    coordinates[i] = first[i] / bias1 / (Math.sqrt(second[i] / bias2) + rule.epsilon);
  }
  const adam = { data: coordinates, rows: p.rows, columns: Math.max(outputs, inputs) };
  const change = onOutputs(map)
    ? multiply({ ...p, turned: true }, adam)
    : multiply({ ...adam, turned: true }, p);
  const w = parameters.arrays[weight];
  const decay = rule.rate * (weightDecay?.(weight) ?? 0);
  for (let i = 0; i < outputs; i++)
    for (let j = 0; j < inputs; j++) {
      const at = map.turned ? j * outputs + i : i * inputs + j;
      w[at] -= rule.rate * rule.scale * change[i * inputs + j] + decay * w[at];
    }
}
