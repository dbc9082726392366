import type { Graph, Value } from "../../engine/graph.ts";
import { input, valueNamed } from "../../engine/graph.ts";
import { mul, randomNormal } from "../../engine/operators/index.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { fromNumbers } from "../../engine/tensor.ts";
import { deriveSeed } from "../../random.ts";

/** What training graphs with noisy weights are fed: a seed, whether there is noise, and how much the penalty weighs. */
export interface NoiseInputs {
  /** Adds the inputs to a graph, once. */
  declare(graph: Graph): void;
  /** Standard normal numbers, or zeros while there is no noise. The same `place` gives the same stream in every graph. */
  noise(graph: Graph, shape: Shape, place: string): Value;
  weight(graph: Graph): Value;
  feeds(step: number, noisy: boolean, weight: number): Record<string, Tensor>;
}

/** @param name Of the method; it is part of the inputs' names and of the seed. */
export function createNoiseInputs(
  name: string,
  { seed, noisy = true }: { seed: number; noisy?: boolean },
): NoiseInputs {
  const [SEED, NOISE, WEIGHT] = ["seed", "noise", "weight"].map((n) => `${name}/${n}`);
  return {
    declare: (graph) => {
      if (graph.types.has(WEIGHT)) return;
      input(graph, WEIGHT, [], { batched: false });
      if (!noisy) return;
      input(graph, SEED, [], { dtype: "int32", batched: false });
      input(graph, NOISE, [], { batched: false });
    },
    noise: (graph, shape, place) => {
      const stream = `${deriveSeed(seed, name)}/${place}`;
      return mul(randomNormal(graph, shape, valueNamed(graph, SEED), stream), valueNamed(graph, NOISE));
    },
    weight: (graph) => valueNamed(graph, WEIGHT),
    feeds: (step, on, weight) => ({
      [WEIGHT]: scalar("float32", weight),
      ...(noisy && { [SEED]: scalar("int32", step), [NOISE]: scalar("float32", Number(on)) }),
    }),
  };
}

function scalar(dtype: "float32" | "int32", value: number): Tensor {
  return { dtype, shape: [], data: fromNumbers(dtype, [value]) };
}
