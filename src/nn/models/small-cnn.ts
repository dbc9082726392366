import type { Graph } from "../../engine/graph.ts";
import { relu } from "../../engine/operators/index.ts";
import type { LenetOptions } from "./lenet.ts";
import { lenetLike } from "./lenet.ts";

/**
 * Two blocks of conv 3×3 (padding 1), ReLU, max pool 2, then two linear layers, 16, 32 and 64 wide: the network of the
 * glyph demo. 38,282 parameters and 365,184 multiply–accumulates for a 1×16×16 input and 10 classes.
 */
export function smallCnn({ widths = [16, 32, 64], ...options }: LenetOptions): Graph {
  return lenetLike("small-cnn", { ...options, widths }, { kernel: 3, padding: 1 }, relu);
}
