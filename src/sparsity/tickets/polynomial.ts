import type { Tensor } from "../../engine/tensor.ts";
import { tensor } from "../../engine/tensor.ts";
import { regression } from "../../nn/regression.ts";
import { deriveSeed, random } from "../../random.ts";
import type { Lesson, Samples } from "./lesson.ts";

/** Variables of the polynomial. */
export const POLYNOMIAL_INPUTS = 8;

/**
 * A random polynomial of second degree in eight variables, uniform in ±1: all squares and products with normal
 * coefficients, scaled to variance 1. For contrast: a network that fits the training samples fits the others, and
 * nothing groks.
 */
export function polynomialLesson(count: number, seed: number): Lesson {
  const rng = random(deriveSeed(seed, "polynomial"));
  const n = POLYNOMIAL_INPUTS;
  const terms = Array.from({ length: n * (n + 1) }, () => rng.normal());
  const value = (x: Float32Array) => {
    let [sum, at] = [0, 0];
    for (let i = 0; i < n; i++) {
      sum += terms[at++] * x[i];
      for (let j = 0; j <= i; j++) sum += terms[at++] * x[i] * x[j];
    }
    return sum;
  };
  const draw = (samples: number) => {
    const x = Float32Array.from({ length: samples * n }, () => 2 * rng.uniform() - 1);
    const y = Float64Array.from({ length: samples }, (_, i) => value(x.subarray(i * n, (i + 1) * n)));
    return { x, y };
  };
  const train = draw(count);
  const test = draw(1000);
  const mean = average(train.y);
  const deviation = Math.sqrt(average(train.y.map((v) => (v - mean) ** 2)));
  const samples = ({ x, y }: ReturnType<typeof draw>): Samples => ({
    x: tensor("float32", [y.length, n], x),
    targets: tensor(
      "float32",
      [y.length, 1],
      Float32Array.from(y, (v) => (v - mean) / deviation),
    ),
  });
  return {
    train: samples(train),
    test: samples(test),
    objective: regression(),
    score: explained,
    threshold: 0.95,
  };
}

/** R², the share of the targets' variance that outputs explain; 0 where they are worse than the mean. */
export function explained({ data }: Tensor<"float32">, { targets }: Samples): number {
  const y = targets.data as Float32Array;
  const mean = average(y);
  let [error, variance] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    error += (data[i] - y[i]) ** 2;
    variance += (y[i] - mean) ** 2;
  }
  return Math.max(0, 1 - error / variance);
}

function average(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (const v of values) sum += v;
  return sum / values.length;
}
