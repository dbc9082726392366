import type { Windows } from "../../engine/operators/windows.ts";

/** What every result is limited to: a ReLU is [0, ∞]. */
export interface Limits {
  low: number;
  high: number;
}

/** y = W x + bias: a linear layer, or a convolution where there are `windows`. */
export interface ProductOperation extends Limits {
  kind: "product";
  x: string;
  y: string;
  /** Row-major [rows, columns]; columns of a convolution are [channels / group, kernel height, kernel width]. */
  weights: Float32Array;
  rows: number;
  columns: number;
  bias: Float32Array;
  windows?: Windows;
  group: number;
}

/** One factor and one offset a channel: batch normalisation, activations, scaling of inputs. */
export interface AffineOperation extends Limits {
  kind: "affine";
  x: string;
  y: string;
  factor: Float32Array;
  offset: Float32Array;
}

export interface AddOperation extends Limits {
  kind: "add";
  x: string;
  other: string;
  y: string;
}

export interface PoolOperation {
  kind: "pool";
  x: string;
  y: string;
  average: boolean;
  /** Divisor of an average whose padding counts, else 0. */
  whole: number;
  windows: Windows;
}

/** y are the numbers of x in the same order, as [batch, features] or unchanged. */
export interface ViewOperation {
  kind: "view";
  x: string;
  y: string;
}

export interface ConcatOperation {
  kind: "concat";
  xs: string[];
  y: string;
}

export interface SoftmaxOperation {
  kind: "softmax";
  x: string;
  y: string;
}

/** What the sparse program can do with values [batch, channels, height, width] and [batch, features]. */
export type Operation =
  | ProductOperation
  | AffineOperation
  | AddOperation
  | PoolOperation
  | ViewOperation
  | ConcatOperation
  | SoftmaxOperation;

export const FREE: Limits = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

/** Names of the values that an operation reads. */
export function inputsOf(operation: Operation): string[] {
  switch (operation.kind) {
    case "concat":
      return operation.xs;
    case "add":
      return [operation.x, operation.other];
    default:
      return [operation.x];
  }
}
