import type { Graph } from "../../engine/graph.ts";
import { input, parameter, valueNamed } from "../../engine/graph.ts";
import type { FlatArrays } from "../../engine/parameters.ts";
import { flatArrays } from "../../engine/parameters.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { tensor } from "../../engine/tensor.ts";
import type { Optimizer } from "../../nn/optimizers.ts";
import { restart } from "../../nn/optimizers.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { deriveSeed, random } from "../../random.ts";
import type { Clock } from "./clock.ts";
import { boundaryAfter, defaultClock, warmupFactor } from "./clock.ts";
import { createDirections } from "./directions.ts";
import type { Measured } from "./footprint.ts";
import { measured } from "./footprint.ts";
import type { LayerNames } from "./layer-names.ts";
import { namesOf } from "./layer-names.ts";
import type { LinearMap } from "./linear-maps.ts";
import { chooseMaps, commonWidth } from "./linear-maps.ts";
import type { SpectralOptions } from "./options.ts";
import { checkOptions } from "./options.ts";
import { replaceProducts } from "./products.ts";
import { distinctIndices, drawProbabilities, drawWithoutReplacement, largest } from "./samplers.ts";
import type { Slots } from "./slots.ts";
import { activate, constrain, decomposeInto, matrixOf, valuesById } from "./slots.ts";
import type { Visits } from "./visits.ts";
import { moreThanFullRank, tooFewVisits, visitsIn } from "./visits.ts";
import { mergedWeight, readMatrix, settleWeights } from "./weights.ts";

/** What became of one layer's triplets. */
export interface SpectralLayer {
  weight: string;
  rank: number;
  /** Singular values by falling order at the last decomposition, as they are now. */
  values: Float64Array;
  /** How many iterations each of them was active in, by its place then. */
  visits: Int32Array;
  /** Singular values that are 0. */
  dead: number;
}

export interface SpectralTraining extends Sparsifier, Measured {
  readonly clock: Clock;
  readonly maps: readonly LinearMap[];
  layers(): SpectralLayer[];
  /** What singular vectors get out of so many steps; by default those taken so far. */
  visits(steps?: number): Visits;
  /** What to say before a training of so many steps: that it is too short, or saves no memory. */
  cautions(steps: number): string[];
}

interface Layer {
  map: LinearMap;
  names: LayerNames;
  slots: Slots;
  next: number;
  visits: Int32Array;
}

interface SavedState {
  taken: number;
  random: number;
  layers: { ids: number[]; next: number; visits: number[] }[];
}

/** The slots once the arrays of the training graph's parameters are those that the optimiser updates. */
function trainedSlots({ slots, names }: Layer, arrays: FlatArrays["arrays"]): Slots {
  return {
    ...slots,
    active: { left: arrays[names.left], values: arrays[names.values], right: arrays[names.right] },
    resting: slots.resting && { ...slots.resting, values: arrays[names.restingValues] },
  };
}

function deadCount({ slots: { active, resting } }: Layer): number {
  return [active, resting].reduce((sum, s) => sum + (s?.values.filter((v) => v === 0).length ?? 0), 0);
}

/**
 * Sparse Spectral Training (Zhao et al., arXiv 2405.15481; sst.md 3): every linear map of `model` is stored as its singular
 * triplets. All singular values train in every step, and of the vectors `rank` pairs at a time, drawn anew every
 * iteration. Gradients and optimiser state exist for these alone. While it trains, a replaced weight of `model` is the
 * product of its factors, computed whenever it is read; afterwards it is a plain weight again.
 */
export function createSpectralTraining(model: Graph, options: SpectralOptions): SpectralTraining {
  const { rank, gradient = "enhanced", sampler = "mixed", warmupScope = "all", rates = {} } = options;
  const { weightDecay = "none", decompose = true, seed = 0 } = options;
  const maps = chooseMaps(model, "sst", options.layers);
  checkOptions(options);
  const clock = defaultClock(commonWidth(maps), rank, options);
  let rng = random(deriveSeed(seed, "spectral"));
  const layers = new Map<string, Layer>();
  const owner = new Map<string, { layer: Layer; part: "left" | "right" | "values" }>();
  const directions = createDirections();
  let resting: FlatArrays | undefined;
  let optimizer: Optimizer | undefined;
  let taken = 0;

  const visits = (steps = taken) => visitsIn(steps, clock, maps, rank);

  const begin = () => {
    resting = flatArrays(
      maps.flatMap((map) => {
        const { restingLeft, restingRight } = namesOf(map.weight);
        const count = Math.min(map.outputs, map.inputs) - activeCount(map);
        return count > 0
          ? [[restingLeft, [count, map.outputs]] as const, [restingRight, [count, map.inputs]] as const]
          : [];
      }),
    );
    for (const map of maps) {
      const layer = newLayer(map, resting);
      layers.set(map.weight, layer);
      const { names } = layer;
      for (const [part, list] of [
        ["left", [names.left]],
        ["right", [names.right]],
        ["values", [names.values, names.restingValues]],
      ] as const)
        for (const name of list) owner.set(name, { layer, part });
    }
  };

  const activeCount = ({ outputs, inputs }: LinearMap) => Math.min(rank, outputs, inputs);

  const newLayer = (map: LinearMap, { arrays }: FlatArrays): Layer => {
    const [k, r] = [Math.min(map.outputs, map.inputs), activeCount(map)];
    const names = namesOf(map.weight);
    const slots: Slots = {
      outputs: map.outputs,
      inputs: map.inputs,
      active: {
        left: new Float32Array(r * map.outputs),
        values: new Float32Array(r),
        right: new Float32Array(r * map.inputs),
      },
      resting:
        k > r
          ? {
              left: arrays[names.restingLeft],
              values: new Float32Array(k - r),
              right: arrays[names.restingRight],
            }
          : undefined,
      ids: new Int32Array(k),
    };
    return { map, names, slots, next: 0, visits: new Int32Array(k) };
  };

  const draw = (layer: Layer): readonly number[] => {
    const sigma = valuesById(layer.slots);
    const count = layer.slots.active.values.length;
    if (typeof sampler === "function") return distinctIndices(sampler(sigma, count), count, sigma.length);
    if (sampler === "top") return largest(sigma, count);
    if (sampler !== "sequential")
      return drawWithoutReplacement(drawProbabilities(sampler, sigma), count, rng);
    const chosen = Array.from({ length: count }, (_, i) => (layer.next + i) % sigma.length);
    layer.next = (layer.next + count) % sigma.length;
    return chosen;
  };

  const switchVectors = (layer: Layer) => {
    const { names } = layer;
    const chosen = draw(layer);
    for (const id of chosen) layer.visits[id]++;
    const companions = Object.entries(optimizer?.state ?? {})
      .filter(([kind, { arrays }]) => kind !== "resting" && arrays[names.restingValues])
      .map(([, { arrays }]) => ({ active: arrays[names.values], resting: arrays[names.restingValues] }));
    activate(layer.slots, chosen, companions);
    if (optimizer) restart(optimizer, [names.left, names.right]);
  };

  const redecompose = (layer: Layer) => {
    const { names, slots } = layer;
    decomposeInto(slots, matrixOf(slots));
    layer.visits.fill(0);
    if (optimizer) restart(optimizer, slots.resting ? [names.values, names.restingValues] : [names.values]);
  };

  const products = replaceProducts(maps, {
    declare: (map, weight) => {
      if (layers.size === 0) begin();
      const layer = layers.get(map.weight)!;
      const { slots, names } = layer;
      decomposeInto(slots, readMatrix(map, model.parameters.get(map.weight)!));
      switchVectors(layer);
      const { graph } = weight;
      const { active, resting } = slots;
      const stored = (name: string, shape: readonly number[], data: ArrayLike<number>) =>
        parameter(graph, name, tensor("float32", shape, data as Float32Array));
      const r = active.values.length;
      stored(names.left, [r, map.outputs], active.left);
      stored(names.right, [r, map.inputs], active.right);
      stored(names.values, [r], active.values);
      if (resting) {
        const rest = resting.values.length;
        stored(names.restingValues, [rest], resting.values);
        input(graph, names.restingLeft, [rest, map.outputs], { batched: false });
        input(graph, names.restingRight, [rest, map.inputs], { batched: false });
      }
      model.parameters.set(
        map.weight,
        mergedWeight(map, weight.shape, () => matrixOf(layer.slots)),
      );
      for (const name of [names.left, names.right]) directions.forget(name);
    },
    compute: (map, site) => {
      const { names, slots } = layers.get(map.weight)!;
      const { graph } = site;
      const value = (name: string) => valueNamed(graph, name);
      const along = site.down(value(names.right));
      const scaled = site.scale(along, value(names.values));
      let y = site.up(scaled, value(names.left), site.bias);
      if (slots.resting) {
        const rest = site.scale(site.down(value(names.restingRight)), value(names.restingValues));
        y = site.up(rest, value(names.restingLeft), y);
      }
      if (gradient === "enhanced") {
        directions.add(names.left, { of: [y], from: ([d]) => site.upGradient(along, d) });
        directions.add(names.right, { of: [scaled], from: ([d]) => site.downGradient(d) });
      }
      return y;
    },
  });

  const method: Sparsifier & Omit<SpectralTraining, keyof Measured> = {
    ...products,
    name: "sst",
    clock,
    maps,
    ownsWeightDecay: new Set(
      maps.flatMap(({ weight }) => {
        const { left, right, values, restingValues } = namesOf(weight);
        return weightDecay === "values" ? [left, right] : [left, right, values, restingValues];
      }),
    ),
    direction: ({ name }) => directions.get(name),
    rate: (name) => {
      const part = owner.get(name)?.part;
      const warm = part || warmupScope === "all" ? warmupFactor(clock, taken) : 1;
      return part ? warm * (rates[part] ?? 1) : warm;
    },
    feeds: () => Object.fromEntries(resting!.tensors) as Record<string, Tensor>,
    createOptimizer: ({ parameters }, own) => {
      for (const layer of layers.values()) layer.slots = trainedSlots(layer, parameters.arrays);
      optimizer = own();
      return optimizer;
    },
    afterStep: () => {
      taken++;
      for (const { slots } of layers.values()) constrain(slots, rng);
      const boundary = boundaryAfter(clock, taken);
      if (!boundary) return;
      for (const layer of layers.values()) {
        if (boundary === "round" && decompose) redecompose(layer);
        switchVectors(layer);
      }
    },
    metrics: () => ({
      deadSingularValues: [...layers.values()].reduce((sum, layer) => sum + deadCount(layer), 0),
      rounds: visits().rounds,
      stepsPerPair: visits().stepsPerPair,
    }),
    finish: () => settleWeights(model, maps),
    state: () => ({
      taken,
      random: rng.state(),
      layers: [...layers.values()].map(({ slots, next, visits }) => ({
        ids: [...slots.ids],
        next,
        visits: [...visits],
      })),
    }),
    restore: (saved) => {
      const state = saved as SavedState;
      taken = state.taken;
      rng = random(state.random);
      [...layers.values()].forEach((layer, i) => {
        layer.slots.ids.set(state.layers[i].ids);
        layer.visits.set(state.layers[i].visits);
        layer.next = state.layers[i].next;
      });
    },
    layers: () =>
      [...layers.values()].map((layer) => ({
        weight: layer.map.weight,
        rank: layer.slots.active.values.length,
        values: valuesById(layer.slots),
        visits: layer.visits.slice(),
        dead: deadCount(layer),
      })),
    visits,
    cautions: (steps) =>
      [tooFewVisits(steps, clock, maps, rank), moreThanFullRank(maps, rank)].filter((c) => c !== undefined),
  };
  return measured(method, () => resting);
}
