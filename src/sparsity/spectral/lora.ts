import type { Safetensors } from "../../data/safetensors.ts";
import type { Graph } from "../../engine/graph.ts";
import { input, parameter, valueNamed } from "../../engine/graph.ts";
import { mul } from "../../engine/operators/index.ts";
import type { FlatArrays } from "../../engine/parameters.ts";
import { flatArrays } from "../../engine/parameters.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { tensor, zeros } from "../../engine/tensor.ts";
import { uniformFanIn } from "../../nn/initializers.ts";
import type { Optimizer } from "../../nn/optimizers.ts";
import { restart } from "../../nn/optimizers.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { Problem } from "../../problem.ts";
import { deriveSeed, random } from "../../random.ts";
import { adaptedMatrix, adapterMetadata, downName, magnitudeName, upName } from "./adapter.ts";
import type { Clock } from "./clock.ts";
import { boundaryAfter, defaultClock, warmupFactor } from "./clock.ts";
import { createDirections } from "./directions.ts";
import type { Measured } from "./footprint.ts";
import { measured } from "./footprint.ts";
import type { LinearMap } from "./linear-maps.ts";
import { chooseMaps, commonWidth } from "./linear-maps.ts";
import { rowLengths, withMagnitudes } from "./magnitudes.ts";
import { replaceProducts } from "./products.ts";
import { mergedWeight, readMatrix, settleWeights, storedWeight } from "./weights.ts";

export interface LoraOptions {
  rank: number;
  /** Which weights, by name; by default all `linearMaps` but output layers. */
  layers?: readonly string[] | ((weight: string) => boolean);
  /** s in W₀ + s·B A. Default 1. */
  scale?: number;
  seed?: number;
}

export interface ReloraOptions extends LoraOptions, Partial<Pick<Clock, "iterationSteps" | "warmup">> {
  /** Steps of the whole training: short ones merge more often. */
  steps?: number;
  /** What the warm-up after every merge slows down: `all` (default), or the low-rank factors alone. */
  warmupScope?: "all" | "factors";
}

/** Factors beside fixed weights. */
export interface Adapters extends Sparsifier, Measured {
  /** Whether a parameter is one of the factors: `trainable` of a training that leaves everything else as it is. */
  trainable(parameter: string): boolean;
  /**
   * The factors as they are, and what they are multiplied by. `writeSafetensors` makes a file of them, `applyAdapter` adds
   * them to the model that they were learnt on.
   */
  adapter(): Safetensors;
}

/**
 * LoRA (Hu et al. 2021): every weight stays as it is, and a product of low rank that starts at 0 trains beside it,
 * y = W₀ x + s·B(A x). While it trains, a weight of `model` is the sum, computed whenever it is read.
 */
export function createLora(model: Graph, options: LoraOptions): Adapters {
  return createAdapters(model, "lora", options);
}

/**
 * ReLoRA* (sst.md 3.11): LoRA that adds its product to the weight every `iterationSteps` and begins anew, A drawn again, B
 * and all of the optimiser's state 0, with a warm-up; from the first step on, without ReLoRA's start at full rank
 * (Lialin et al. 2023).
 */
export function createRelora(model: Graph, options: ReloraOptions): Sparsifier & Measured {
  return createAdapters(model, "relora", options, options);
}

/**
 * DoRA (Liu et al. 2024, arXiv 2402.09353): LoRA gives the rows of the weight their directions, and a vector that trains
 * beside it, at first the rows' own lengths, gives them lengths: W = m ∘ (W₀ + s·B A)/‖W₀ + s·B A‖, a length for each output.
 * The lengths that are divided by count as constants. A row that begins as 0 stays 0, as it has no direction.
 */
export function createDora(model: Graph, options: LoraOptions): Adapters {
  return createAdapters(model, "dora", options);
}

function createAdapters(
  model: Graph,
  name: "lora" | "relora" | "dora",
  { rank, layers, scale = 1, seed = 0 }: LoraOptions,
  merging?: ReloraOptions,
): Adapters {
  const maps = chooseMaps(model, name, layers);
  if (!(Number.isInteger(rank) && rank > 0))
    throw new Problem(`${name}: rank is ${rank}; take a whole number above 0`);
  const clock = merging && defaultClock(commonWidth(maps), rank, merging);
  let rng = random(deriveSeed(seed, "lora"));
  const names = [downName, upName, ...(name === "dora" ? [magnitudeName] : [])];
  const factorNames = new Set(maps.flatMap(({ weight }) => names.map((nameOf) => nameOf(weight))));
  const directions = createDirections();
  let base: FlatArrays | undefined;
  /** Where the factors lie; other arrays once they train. */
  let factors = new Map<string, Tensor<"float32">>();
  let optimizer: Optimizer | undefined;
  let taken = 0;

  const sum = (map: LinearMap) => {
    const [down, up, magnitude] = [downName, upName, magnitudeName].map(
      (nameOf) => factors.get(nameOf(map.weight))?.data,
    );
    return adaptedMatrix(
      map,
      base!.tensors.get(baseName(map.weight))!,
      { down: down!, up: up!, magnitude },
      scale,
    );
  };
  const drawDown = ({ inputs }: LinearMap, count: number) => uniformFanIn([count, inputs], inputs, rng);

  const merge = () => {
    for (const map of maps) {
      const stored = base!.tensors.get(baseName(map.weight))!;
      stored.data.set(storedWeight(map, stored.shape, sum(map)).data);
      const down = factors.get(downName(map.weight))!;
      down.data.set(drawDown(map, down.shape[0]).data);
      factors.get(upName(map.weight))!.data.fill(0);
    }
    restart(optimizer!, factorNames);
  };

  const products = replaceProducts(maps, {
    declare: (map, weight) => {
      base ??= flatArrays(
        maps.map((m) => [baseName(m.weight), model.parameters.get(m.weight)!.shape] as const),
      );
      base.arrays[baseName(map.weight)].set(model.parameters.get(map.weight)!.data);
      const count = Math.min(rank, map.outputs, map.inputs);
      factors
        .set(downName(map.weight), drawDown(map, count))
        .set(upName(map.weight), zeros([count, map.outputs]));
      input(weight.graph, baseName(map.weight), weight.shape, { batched: false });
      if (name === "dora") {
        const lengths = rowLengths(readMatrix(map, model.parameters.get(map.weight)!), map.outputs);
        factors.set(magnitudeName(map.weight), tensor("float32", [map.outputs], lengths));
        for (const factor of [downName, upName]) directions.forget(factor(map.weight));
      }
      for (const nameOf of names)
        parameter(weight.graph, nameOf(map.weight), factors.get(nameOf(map.weight))!);
      model.parameters.set(
        map.weight,
        mergedWeight(map, weight.shape, () => sum(map)),
      );
    },
    compute: (map, site) => {
      const value = (nameOf: (weight: string) => string) => valueNamed(site.graph, nameOf(map.weight));
      const [base, down, up] = [baseName, downName, upName].map(value);
      if (name === "dora") {
        const magnitude = value(magnitudeName);
        const found = withMagnitudes(map, site, { base, down, up, magnitude, scale });
        directions.add(down.name, found.directions.down);
        directions.add(up.name, found.directions.up);
        return found.y;
      }
      const along = site.down(down);
      return site.up(scale === 1 ? along : mul(along, scale), up, site.dense(base, site.bias));
    },
  });

  const method: Omit<Adapters, keyof Measured> = {
    ...products,
    name,
    trainable: (parameter) => factorNames.has(parameter),
    adapter: () => {
      if (!base) throw new Problem(`${name}: there are no factors yet; train first`);
      const copies = [...factors].map(([n, t]) => [n, { ...t, data: t.data.slice() }] as const);
      return { tensors: new Map(copies), metadata: adapterMetadata(name, scale) };
    },
    direction: ({ name }) => directions.get(name),
    feeds: () => Object.fromEntries(base!.tensors) as Record<string, Tensor>,
    createOptimizer: ({ parameters }, own) => {
      factors = new Map([...factorNames].map((n) => [n, parameters.tensors.get(n)!]));
      optimizer = own();
      return optimizer;
    },
    finish: () => settleWeights(model, maps),
    ...(clock && {
      rate: (parameter: string) =>
        merging!.warmupScope === "factors" && !factorNames.has(parameter) ? 1 : warmupFactor(clock, taken),
      afterStep: () => {
        taken++;
        if (boundaryAfter(clock, taken)) merge();
      },
      state: () => ({ taken, random: rng.state() }),
      restore: (saved: unknown) => {
        const state = saved as { taken: number; random: number };
        taken = state.taken;
        rng = random(state.random);
      },
    }),
  };
  return measured(method, () => base);
}

const baseName = (weight: string) => `${weight}/base`;
