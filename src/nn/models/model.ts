import type { Graph } from "../../engine/graph.ts";
import type { Shape } from "../../engine/tensor.ts";

/** What every classifier of the library is built from. */
export interface ModelOptions {
  /** Shape of one sample, channels first. */
  inputShape: Shape;
  classes: number;
  /** Samples a run; `rebatch` changes it later. Default 1. */
  batch?: number;
  /** Seed of the initial weights. Default 0. */
  seed?: number;
}

export type ModelBuilder = (options: ModelOptions) => Graph;

/**
 * Networks made for ImageNet's 224×224 pixels shrink an image early; their variants for CIFAR's 32×32 do not. From 64
 * pixels a side on it is the former.
 */
export function isLargeImage(inputShape: Shape): boolean {
  return inputShape[inputShape.length - 1] >= 64;
}
