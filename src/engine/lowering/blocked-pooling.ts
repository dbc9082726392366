import type { Node, Value } from "../graph.ts";
import { maximum, mul, sub } from "../operators/elementwise.ts";
import { numberAttribute } from "../operators/operator.ts";
import { poolWindows } from "../operators/pooling.ts";
import { concat, reshape, slice } from "../operators/shape.ts";
import type { Layout } from "./layout.ts";
import { blockedMaxPool } from "./nchwc.ts";
import { positive } from "./step-mask.ts";

/** `MaxPool` without indices. */
export function maxPoolRule(layout: Layout, node: Node, [plain]: (Value | undefined)[]): Value[] | undefined {
  const x = layout.find(plain);
  if (!x || node.outputs.length > 1) return undefined;
  const { dilations } = poolWindows(node.attributes, x.shape);
  if (numberAttribute(node.attributes, "ceil_mode", 0) !== 0 || dilations.some((d) => d !== 1))
    return undefined;
  return [layout.plain(blockedMaxPool(x, node.attributes), plain!.shape[1])];
}

/**
 * `MaxPoolGradient` of 2×2 windows side by side: the winner of each row of a window, then that of its two rows. A later
 * element wins only where it is larger, so that the first of equals takes the gradient.
 */
export function maxPoolGradientRule(
  layout: Layout,
  node: Node,
  [plain, dy]: (Value | undefined)[],
): Value[] | undefined {
  if (!plain || !dy || !(layout.find(plain) ?? layout.find(dy))) return undefined;
  const { kernel, strides, dilations, before, input, output } = poolWindows(node.attributes, plain.shape);
  const tiles =
    [...kernel, ...strides].every((k) => k === 2) &&
    [...dilations].every((d) => d === 1) &&
    before.every((p) => p === 0) &&
    input.every((d, i) => d === 2 * output[i]);
  if (!tiles) return undefined;
  const [x, given] = [layout.blocked(plain), layout.blocked(dy)];
  const { block } = layout;
  const [n, channels] = x.shape;
  const planes = (n * channels) / block;
  const [height, width] = output;
  const pairs = reshape(x, [planes * 2 * height * width, 2 * block]);
  const left = slice(pairs, { 1: { end: block } });
  const right = slice(pairs, { 1: { start: block } });
  const rows = reshape(maximum(left, right), [planes * height, 2, width * block]);
  const upper = slice(rows, { 1: { end: 1 } });
  const lower = slice(rows, { 1: { start: 1 } });
  const share = reshape(given, [planes * height, 1, width * block]);
  const toLower = mul(share, positive(sub(lower, upper)));
  const byRow = reshape(concat([sub(share, toLower), toLower], 1), [planes * 2 * height * width, block]);
  const toRight = mul(byRow, positive(sub(right, left)));
  const dx = reshape(concat([sub(byRow, toRight), toRight], 1), x.shape);
  return [layout.plain(dx, plain.shape[1])];
}
