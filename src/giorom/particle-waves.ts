import type { Value } from "../engine/graph.ts";
import { constant } from "../engine/graph.ts";
import { add, matmul, mul, reshape, transpose } from "../engine/operators/index.ts";
import { tensor } from "../engine/tensor.ts";
import type { Layers } from "../nn/layers.ts";
import type { Positions } from "./features.ts";
import { type FnoOptions, fnoBlocks, spectralWeights } from "./fno.ts";
import { lowFrequencies, mixModes } from "./fourier.ts";

// A Fourier operator needs no grid: sums over particles take the place of the transform. They are means, so that a denser
// sample converges to the integral.

/** Waves of one window: real and imaginary part at each kept frequency. */
export const waveCount = (dim: number, { signed, last }: FnoOptions): number =>
  2 * signed ** (dim - 1) * last;

/** cos and −sin of every kept frequency at every place, [points, waves of a window]; a box has one period. */
export function wavesAt(
  places: Positions,
  bounds: readonly (readonly [number, number])[],
  { signed, last }: FnoOptions,
): Float32Array {
  const dim = bounds.length;
  const modes = modeList(dim, signed, last);
  const out = new Float32Array((places.length / dim) * 2 * modes.length);
  for (let i = 0, at = 0; i < places.length; i += dim, at += 2 * modes.length)
    modes.forEach((mode, m) => {
      const turns = mode.reduce(
        (sum, k, axis) =>
          sum + (k * (places[i + axis] - bounds[axis][0])) / (bounds[axis][1] - bounds[axis][0]),
        0,
      );
      out[at + m] = Math.cos(2 * Math.PI * turns);
      out[at + modes.length + m] = -Math.sin(2 * Math.PI * turns);
    });
  return out;
}

/** Every kept frequency, the last axis fastest. */
function modeList(dim: number, signed: number, last: number): number[][] {
  return lowFrequencies(dim, signed, last).reduce<number[][]>(
    (modes, list) => modes.flatMap((mode) => list.map((k) => [...mode, k])),
    [[]],
  );
}

/** The particles of all windows: `waves` [points, windows · waves], 0 in others' columns, and `shares` 1/particles of its window. */
export interface ParticleWaves {
  waves: Value;
  shares: Value;
  windows: number;
  dim: number;
}

/** x [points, width] → [points, features]. */
export function particleFno(
  build: Layers,
  name: string,
  x: Value,
  features: number,
  options: FnoOptions,
  { waves, shares, windows, dim }: ParticleWaves,
): Value {
  const { width, signed, last } = options;
  const modes = modeList(dim, signed, last);
  // The other half of the waves are conjugates.
  const twice = Float32Array.from({ length: windows * 2 * modes.length }, (_, i) =>
    modes[i % modes.length][dim - 1] === 0 ? 1 : 2,
  );
  const factors = constant(x.graph, tensor("float32", [twice.length, 1], twice));
  return fnoBlocks(build, name, x, features, options, (part, z) => {
    const { real, imaginary, bias } = spectralWeights(build, part, modes.length, width, width);
    const found = matmul(transpose(waves, [1, 0]), mul(z, shares));
    const mixed = mixModes(reshape(found, [windows, 2, modes.length, width]), real, imaginary);
    return add(matmul(waves, mul(reshape(mixed, [twice.length, width]), factors)), bias);
  });
}
