import type { Graph, Node, Value } from "../graph.ts";
import { maximum, mul, sub } from "../operators/arithmetic.ts";
import { slice } from "../operators/cutting.ts";
import { concat } from "../operators/joining.ts";
import { numberAttribute } from "../operators/operator.ts";
import { poolWindows } from "../operators/pooling.ts";
import { reshape } from "../operators/reshape.ts";
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

/** `MaxPoolGradient` of 2×2 windows side by side. */
export function maxPoolGradientRule(
  layout: Layout,
  node: Node,
  [plain, dy]: (Value | undefined)[],
): Value[] | undefined {
  if (!plain || !dy || !(layout.find(plain) ?? layout.find(dy))) return undefined;
  const { kernel, strides, dilations, before, input, output } = poolWindows(node.attributes, plain.shape);
  const tiles =
    [...kernel, ...strides].every((k) => k === 2) &&
    dilations.every((d) => d === 1) &&
    before.every((p) => p === 0) &&
    input.every((d, i) => d === 2 * output[i]);
  if (!tiles) return undefined;
  const x = layout.blocked(plain);
  const gradient = (share: Value) => toWinners(layout.block, x, share);
  const share = layout.blocked(dy);
  const dx = gradient(share);
  const masked = () => gradient(mul(share, positive(blockedMaxPool(x, node.attributes))));
  remember(dx, { pooled: x.name, masked });
  return [layout.plain(dx, plain.shape[1])];
}

interface Remembered {
  /** Name of the array that was pooled. */
  pooled: string;
  /** The same gradient, but zero where the winner is not positive. */
  masked: () => Value;
}

const remembered = new WeakMap<Graph, Map<string, Remembered>>();

function remember(dx: Value, how: Remembered): void {
  let known = remembered.get(dx.graph);
  if (!known) remembered.set(dx.graph, (known = new Map()));
  known.set(dx.name, how);
}

/**
 * The gradient of a ReLU under a max pool: `dx`, all of it blocked, where its `y` is positive. The winners alone carry
 * gradient, so the mask is applied to what was pooled, a quarter of the elements.
 */
export function maskBeforePooling(y: Value, dx: Value): Value | undefined {
  const how = remembered.get(dx.graph)?.get(dx.name);
  return how?.pooled === y.name ? how.masked() : undefined;
}

/**
 * Sends each element of blocked `share` to the largest of its 2×2 window of blocked x: first the winner of each row of a
 * window, then that of its two rows. A later element wins only where it is larger, so that of equals the first takes it.
 */
function toWinners(block: number, x: Value, share: Value): Value {
  const [n, channels, height, width] = share.shape;
  const planes = (n * channels) / block;
  const pairs = reshape(x, [planes * 2 * height * width, 2 * block]);
  const left = slice(pairs, { 1: { end: block } });
  const right = slice(pairs, { 1: { start: block } });
  const rows = reshape(maximum(left, right), [planes * height, 2, width * block]);
  const upper = slice(rows, { 1: { end: 1 } });
  const lower = slice(rows, { 1: { start: 1 } });
  const both = reshape(share, [planes * height, 1, width * block]);
  const toLower = mul(both, positive(sub(lower, upper)));
  const byRow = reshape(concat([sub(both, toLower), toLower], 1), [planes * 2 * height * width, block]);
  const toRight = mul(byRow, positive(sub(right, left)));
  return reshape(concat([sub(byRow, toRight), toRight], 1), x.shape);
}
