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
  const weights = (part: string) =>
    modesOf(
      build.weight(`${name}.${part}`, [modes, width, features], width, normal(0.5 / width)),
      frequencies,
      kept,
    );
  const mixed = mixModes(forwardFourier(z, kept), weights("real"), weights("imaginary"));
  return add(
    inverseFourier(mixed, kept, size),
    build.weight(`${name}.bias`, [features], width, constantFill(0)),
  );
}

/** z [batch, size …, channels] → [batch, size …, features]. */
export function fno(
  build: Layers,
  name: string,
  z: Value,
  features: number,
  { width, blocks, last, signed, block }: FnoOptions,
): Value {
  const frequencies = lowFrequencies(z.shape.length - 2, signed, last);
  const withoutBias = (part: string, x: Value) =>
    matmul(x, transpose(build.weight(part, [width, width], width), [1, 0]));
  let x = kernel(build, `${name}.lift`, [z], [width, width]);
  for (let i = 0; i < blocks; i++) {
    const at = `${name}.${i}`;
    const convolve = (v: Value) => spectralConvolution(build, `${at}.spectral`, tanh(v), width, frequencies);
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
