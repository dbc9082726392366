import type { Shape, Tensor } from "../engine/tensor.ts";
import { sizeOf, zeros } from "../engine/tensor.ts";
import type { Random } from "../random.ts";

/** Fills a new array of `shape`; `fanIn` is the number of inputs one output sums over. */
export type Initializer = (shape: Shape, fanIn: number, rng: Random) => Tensor<"float32">;

function filled(shape: Shape, next: () => number): Tensor<"float32"> {
  const t = zeros(shape);
  for (let i = 0; i < t.data.length; i++) t.data[i] = next();
  return t;
}

/** Uniform in ±1/√fanIn: what PyTorch gives linear and convolution layers, weights and biases alike. */
export const uniformFanIn: Initializer = (shape, fanIn, rng) => {
  const bound = 1 / Math.sqrt(fanIn);
  return filled(shape, () => (2 * rng.uniform() - 1) * bound);
};

/** Normal with variance 2/fanIn, which keeps the scale of activations through ReLU layers (He et al. 2015, eq. 10). */
export const kaimingNormal: Initializer = (shape, fanIn, rng) => {
  const std = Math.sqrt(2 / fanIn);
  return filled(shape, () => rng.normal() * std);
};

/** Uniform in ±√(6/(fanIn + fanOut)), fanOut = size/fanIn (Glorot and Bengio 2010, eq. 16). */
export const xavierUniform: Initializer = (shape, fanIn, rng) => {
  const bound = Math.sqrt(6 / (fanIn + sizeOf(shape) / fanIn));
  return filled(shape, () => (2 * rng.uniform() - 1) * bound);
};

/** Normal with the given standard deviation. */
export function normal(std: number): Initializer {
  return (shape, _, rng) => filled(shape, () => rng.normal() * std);
}

export function constantFill(value: number): Initializer {
  return (shape) => filled(shape, () => value);
}

/** Shapes without numbers, of a graph that only tells sizes or gets its weights from elsewhere. */
export const unfilled: Initializer = (shape) => ({ dtype: "float32", shape, data: new Float32Array(0) });
