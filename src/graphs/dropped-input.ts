import type { Tensor } from "../engine/tensor.ts";
import { deriveSeed, random } from "../random.ts";

/**
 * Inverted dropout of a network's input, anew for every epoch: each number is 0 with probability `rate`, else divided by
 * 1 − rate. One array, always the same, of which only what is not 0 is rewritten: features are often sparse, and drawing
 * for all of them inside the graph took longer than the rest of the step.
 */
export function droppedInput(
  features: Tensor<"float32">,
  rate: number,
  seed = 0,
): (epoch: number) => Tensor<"float32"> {
  if (rate === 0) return () => features;
  const places = Int32Array.from(features.data.keys()).filter((i) => features.data[i] !== 0);
  const kept = Float32Array.from(places, (i) => features.data[i] / (1 - rate));
  const dropped = { ...features, data: features.data.slice() };
  return (epoch) => {
    const rng = random(deriveSeed(seed, "input", epoch));
    for (let i = 0; i < places.length; i++) dropped.data[places[i]] = rng.uniform() < rate ? 0 : kept[i];
    return dropped;
  };
}
