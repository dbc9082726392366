import type { LiteOptions, StepperConfig } from "./config.ts";
import { defaultGrid, liteConfig, plainFno } from "./config.ts";

// What GIOROM is compared with (spec 4.2), in the same interface. `liteConfig` gives two more: without a grid, and with
// `layers: 0` a grid without messages, which is GINO (Li et al. 2023).

/** GNS: sums of messages over the particles' graph alone, ten rounds (Sanchez-Gonzalez et al. 2020). */
export function gnsConfig({
  dim,
  hidden = 128,
  layers = 10,
  history = 5,
  types = 0,
}: Omit<LiteOptions, "grid" | "channels">): StepperConfig {
  return {
    dim,
    hidden,
    layers: [layers, 0],
    history,
    types,
    aggregation: "sum",
    selfLinear: false,
    unusedMap: false,
  };
}

/** Graph attention: two rounds of three heads (Veličković et al. 2018). */
export function gatConfig({
  heads = 3,
  layers = 2,
  ...options
}: Omit<LiteOptions, "grid" | "channels"> & { heads?: number }): StepperConfig {
  return { ...gnsConfig({ ...options, layers }), aggregation: "attention", heads };
}

/** A Fourier operator whose tokens are the particles: neither graph nor grid. `grid` counts the modes as in `liteConfig`. */
export function fnoConfig({
  dim,
  channels = 8,
  grid = defaultGrid(dim),
  ...options
}: Omit<LiteOptions, "layers">): StepperConfig {
  return { ...gnsConfig({ hidden: 32, ...options, dim, layers: 0 }), waves: plainFno(grid, channels) };
}

/**
 * After NeuralMPM (arXiv 2408.15753): particles onto a grid by the weights of the material point method, an image
 * network there, and back. `grid` must halve twice.
 */
export function neuralMpmConfig({
  dim,
  channels = 8,
  grid = defaultGrid(dim),
  ...options
}: Omit<LiteOptions, "layers">): StepperConfig {
  const base = liteConfig({ ...options, dim, layers: 0, channels, grid });
  return {
    ...base,
    latent: {
      ...base.latent!,
      transfer: "splines",
      encodeHidden: [],
      decodeHidden: [],
      processor: { kind: "unet", width: 2 * channels, levels: 2 },
    },
  };
}
