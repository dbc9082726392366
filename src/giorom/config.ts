import type { Dim } from "../physics/particles.ts";
import { Problem } from "../problem.ts";
import type { FnoOptions } from "./fno.ts";
import type { OperatorTransformerOptions } from "./operator-transformer.ts";
import type { UnetOptions } from "./unet.ts";

/** The way through a regular grid that lets far particles feel each other. */
export interface LatentConfig {
  /** Nodes along each axis, both walls included. */
  size: number;
  /** Axes of the grid: 2 below 3D particles means that a learned map lays them on a plane first, as the paper's v1 does. */
  dim: Dim;
  channels: number;
  /** How particles and nodes hear each other: by learned kernels, or by the material point method's weights. Default kernels. */
  transfer?: "kernels" | "splines";
  /** Hidden layers of the two kernels. */
  encodeHidden: readonly number[];
  decodeHidden: readonly number[];
  /** What goes to the grid: what is known of a particle, or the acceleration read off from it (v1). */
  carries: "state" | "acceleration";
  processor:
    | ({ kind: "fno" } & FnoOptions)
    | ({ kind: "transformer" } & OperatorTransformerOptions)
    | ({ kind: "unet" } & UnetOptions);
  /** Hidden layers of the 1×1 projection behind the grid. */
  projection: readonly number[];
}

/** The shape of a time stepper's network: all that its parameters depend on. */
export interface StepperConfig {
  dim: Dim;
  hidden: number;
  /** Rounds of messages before and after the grid. */
  layers: readonly [before: number, after: number];
  /** Past velocities that the network sees. */
  history: number;
  /** Kinds of particles that it tells apart by an embedding of 16 numbers; 0 for none. */
  types: number;
  /** `mean` converges as particles lie denser, `sum` is what GNS does, `attention` weighs neighbours by learned scores. */
  aggregation: "mean" | "sum" | "attention";
  /** Of attention. */
  heads?: number;
  /** The graph convolution of the later versions. On a Laplacian it comes to x += Linear(0.7 x), see GIOROM spec 3.6. */
  selfLinear: boolean;
  /** The published 2D classes own a map from 3D to a plane that they never use; it counts among their parameters. */
  unusedMap: boolean;
  latent?: LatentConfig;
  /** A Fourier operator on the particles themselves, between the messages as the grid is. */
  waves?: FnoOptions;
}

const KERNELS = { encodeHidden: [32, 64], decodeHidden: [32, 64] } as const;

const officialFno: LatentConfig["processor"] = {
  kind: "fno",
  width: 32,
  blocks: 2,
  signed: 24,
  last: 13,
  block: "official",
};

const attention = (blocks: number, width = 256): LatentConfig["processor"] => ({
  kind: "transformer",
  width,
  heads: 4,
  blocks,
  experts: 2,
  dropout: 0.3,
});

const paper = {
  hidden: 128,
  layers: [2, 2],
  history: 5,
  types: 9,
  aggregation: "mean",
  unusedMap: false,
} as const;

/** The published networks by name, with their parameter counts (GIOROM spec 3.7). */
export const CONFIGS = {
  "v1-2d": {
    ...paper,
    dim: 2,
    selfLinear: false,
    unusedMap: true,
    latent: {
      ...KERNELS,
      size: 32,
      dim: 2,
      channels: 2,
      carries: "acceleration",
      processor: officialFno,
      projection: [],
    },
  },
  "v1-3d-large": {
    ...paper,
    dim: 3,
    selfLinear: false,
    latent: {
      ...KERNELS,
      size: 16,
      dim: 2,
      channels: 3,
      carries: "acceleration",
      processor: officialFno,
      projection: [16],
    },
  },
  "T-3d": {
    ...paper,
    dim: 3,
    selfLinear: true,
    latent: {
      ...KERNELS,
      size: 16,
      dim: 3,
      channels: 64,
      carries: "state",
      processor: attention(1),
      projection: [],
    },
  },
  "T-2d": {
    ...paper,
    dim: 2,
    selfLinear: true,
    unusedMap: true,
    latent: {
      ...KERNELS,
      size: 32,
      dim: 2,
      channels: 32,
      carries: "acceleration",
      processor: attention(2),
      projection: [],
    },
  },
} as const satisfies Record<string, StepperConfig>;

export interface LiteOptions {
  dim: Dim;
  /** Default 32. */
  hidden?: number;
  /** Rounds of messages before and after the grid. Default 2. */
  layers?: number;
  /** Nodes along an axis of the latent grid. Default 12 in 2D, 8 in 3D; 0 leaves the grid out. */
  grid?: number;
  /** Default 8. */
  channels?: number;
  history?: number;
  types?: number;
}

/** The default: a Fourier operator on a grid of as many axes as the particles have (GIOROM spec 1). */
export function liteConfig(options: LiteOptions): StepperConfig {
  const { dim, hidden = 32, layers = 2, channels = 8, history = 5, types = 0 } = options;
  const size = options.grid ?? defaultGrid(dim);
  if (hidden < 1 || history < 1 || size === 1)
    throw new Problem(
      "a stepper needs a hidden width, a history and a grid of at least 2 nodes along an axis",
    );
  const base = {
    dim,
    hidden,
    layers: [layers, layers],
    history,
    types,
    aggregation: "mean",
    selfLinear: false,
    unusedMap: false,
  } as const;
  if (size === 0) return base;
  return {
    ...base,
    latent: {
      size,
      dim,
      channels,
      encodeHidden: [hidden, hidden],
      decodeHidden: [hidden, hidden],
      carries: "state",
      processor: { kind: "fno", ...plainFno(size, channels) },
      projection: [],
    },
  };
}

/** `lite` with the linear-attention transformer of the paper's later versions in place of the Fourier operator. */
export function transformerConfig(options: LiteOptions): StepperConfig {
  const { latent, ...base } = liteConfig(options);
  if (!latent) return base;
  // Twice the width of the messages, as published, and a multiple of the heads.
  const width = 4 * Math.ceil(base.hidden / 2);
  return { ...base, latent: { ...latent, processor: attention(1, width) } };
}

/** Nodes along an axis of the grid of `lite`. */
export const defaultGrid = (dim: Dim): number => (dim === 2 ? 12 : 8);

/** The Fourier operator of `lite`: up to six frequencies along an axis, as many as so many nodes can tell apart. */
export function plainFno(size: number, channels: number): FnoOptions {
  const last = Math.min(6, Math.floor(size / 2));
  return { width: 2 * channels, blocks: 2, signed: 2 * last, last, block: "plain" };
}
