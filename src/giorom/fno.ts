import type { Value } from "../engine/graph.ts";
import { add, gelu, matmul, mul, tanh, transpose } from "../engine/operators/index.ts";
import { constantFill, normal } from "../nn/initializers.ts";
import type { Layers } from "../nn/layers.ts";
import { kernel } from "./dense.ts";
import {
  type Frequencies,
  forwardFourier,
  inverseFourier,
  lowFrequencies,
  mixModes,
  modesOf,
  representable,
} from "./fourier.ts";

/** Fourier neural operator on the latent grid (Li et al. 2021). */
export interface FnoOptions {
  /** Channels inside. */
  width: number;
  blocks: number;
  /** Frequencies on the last axis, 0 … last − 1. */
  last: number;
  /** Frequencies on the others, half of them negative. */
  signed: number;
  /**
   * `plain`: z ← GELU(K(tanh z) + W z). `official`: the blocks of the authors' library, activation first, with an MLP on the
   * channels of half the width and a gated skip around it.
   */
  block: "plain" | "official";
}

/** A complex matrix for each mode, and a bias. */
export function spectralWeights(
  build: Layers,
  name: string,
  modes: number,
  width: number,
  features: number,
): { real: Value; imaginary: Value; bias: Value } {
  const weights = (part: string) =>
    build.weight(`${name}.${part}`, [modes, width, features], width, normal(0.5 / width));
  return {
    real: weights("real"),
    imaginary: weights("imaginary"),
    bias: build.weight(`${name}.bias`, [features], width, constantFill(0)),
  };
}

/** K: every kept Fourier coefficient times its own complex matrix, and a bias (GIOROM spec 3.6). z is [batch, size …, width]. */
export function spectralConvolution(
  build: Layers,
  name: string,
  z: Value,
  features: number,
  frequencies: Frequencies,
): Value {
  const size = z.shape[1];
  const width = z.shape[z.shape.length - 1];
  const modes = frequencies.reduce((count, list) => count * list.length, 1);
  const kept = representable(frequencies, size);
  const { real, imaginary, bias } = spectralWeights(build, name, modes, width, features);
  const [ownReal, ownImaginary] = [real, imaginary].map((w) => modesOf(w, frequencies, kept));
  return add(inverseFourier(mixModes(forwardFourier(z, kept), ownReal, ownImaginary), kept, size), bias);
}

/** z [batch, size …, channels] → [batch, size …, features]. */
export function fno(build: Layers, name: string, z: Value, features: number, options: FnoOptions): Value {
  const frequencies = lowFrequencies(z.shape.length - 2, options.signed, options.last);
  return fnoBlocks(build, name, z, features, options, (part, v) =>
    spectralConvolution(build, part, v, options.width, frequencies),
  );
}

/** All of the operator but what its convolution K is. */
export function fnoBlocks(
  build: Layers,
  name: string,
  z: Value,
  features: number,
  { width, blocks, block }: FnoOptions,
  convolution: (name: string, v: Value) => Value,
): Value {
  const withoutBias = (part: string, x: Value) =>
    matmul(x, transpose(build.weight(part, [width, width], width), [1, 0]));
  let x = kernel(build, `${name}.lift`, [z], [width, width]);
  for (let i = 0; i < blocks; i++) {
    const at = `${name}.${i}`;
    const convolve = (v: Value) => convolution(`${at}.spectral`, tanh(v));
    if (block === "plain") {
      x = gelu(add(convolve(x), withoutBias(`${at}.skip.weight`, x)));
      continue;
    }
    const active = gelu(x);
    const sum = add(convolve(active), withoutBias(`${at}.skip.weight`, active));
    const gated = mul(active, build.weight(`${at}.gate`, [width], width, constantFill(1)));
    const channels = kernel(build, `${at}.channels`, [i < blocks - 1 ? gelu(sum) : sum], [width / 2, width]);
    x = add(channels, gated);
  }
  return kernel(build, `${name}.project`, [x], [width, features]);
}
