import type { Value } from "../../engine/graph.ts";
import { div, gemm, maximum, mul, reduceL2, reshape } from "../../engine/operators/index.ts";
import type { Direction } from "../../nn/sparsifier.ts";
import type { LinearMap } from "./linear-maps.ts";
import type { Site } from "./products.ts";

/** A shorter row has no direction; it counts as this long, so that it stays 0. */
const SHORTEST = 1e-12;

/** Length of each row of a matrix [rows, columns]. */
export function rowLengths(matrix: ArrayLike<number>, rows: number): Float32Array {
  const columns = matrix.length / rows;
  return Float32Array.from({ length: rows }, (_, i) => {
    let square = 0;
    for (let j = i * columns; j < (i + 1) * columns; j++) square += matrix[j] ** 2;
    return Math.sqrt(square);
  });
}

/** Gives the rows of a matrix these lengths. */
export function setRowLengths(matrix: Float64Array, lengths: Float32Array): void {
  const columns = matrix.length / lengths.length;
  rowLengths(matrix, lengths.length).forEach((before, i) => {
    const factor = lengths[i] / Math.max(before, SHORTEST);
    for (let j = i * columns; j < (i + 1) * columns; j++) matrix[j] *= factor;
  });
}

export interface Magnitudes {
  /** The fixed weight, as the model stores it. */
  base: Value;
  /** [rank, inputs] and [rank, outputs]. */
  down: Value;
  up: Value;
  /** [outputs] */
  magnitude: Value;
  scale: number;
}

/**
 * m ∘ V x / ‖V‖ plus the bias, for V = W₀ + s·B A and the length ‖V‖ of each of its rows (Liu et al. 2024, equation 5). What
 * the factors move along takes these lengths for constants (their section 4.3), which saves the memory of a whole gradient.
 */
export function withMagnitudes(
  map: LinearMap,
  site: Site,
  { base, down, up, magnitude, scale }: Magnitudes,
): { y: Value; directions: { down: Direction; up: Direction } } {
  const along = site.down(down);
  const scaled = scale === 1 ? along : mul(along, scale);
  const sum = site.up(scaled, up, site.dense(base));
  const factors = div(magnitude, maximum(lengths(map, { base, down, up, scale }), SHORTEST));
  return {
    y: site.scale(sum, factors, site.bias),
    directions: {
      down: { of: [along], from: ([d]) => site.downGradient(d) },
      up: { of: [sum], from: ([d]) => site.upGradient(scaled, d) },
    },
  };
}

/** ‖V‖ of each output, from V as its weight is stored. */
function lengths(
  { outputs, inputs, turned }: LinearMap,
  { base, down, up, scale }: Omit<Magnitudes, "magnitude">,
): Value {
  const [left, right] = turned ? [down, up] : [up, down];
  const c = reshape(base, turned ? [inputs, outputs] : [outputs, inputs]);
  return reduceL2(gemm(left, right, { transA: true, alpha: scale, c }), [turned ? 0 : 1]);
}
