/** Sums, products and affine maps per channel, and the batch normalisation made of them. */
import type { Node, Value } from "../graph.ts";
import { constant, valueNamed } from "../graph.ts";
import { add, mul, neg, reciprocal, sqrt, sub } from "../operators/arithmetic.ts";
import { slice } from "../operators/cutting.ts";
import { numberAttribute } from "../operators/operator.ts";
import { reduceSum } from "../operators/reduction.ts";
import { expand } from "../operators/repeat.ts";
import { reshape } from "../operators/reshape.ts";
import { sameShape } from "../shapes.ts";
import { sizeOf, tensor } from "../tensor.ts";
import type { Layout } from "./layout.ts";
import { padVector } from "./layout.ts";
import { blockedChannelMeans, blockedConv } from "./nchwc.ts";

/** Σ over samples and cells of blocked x [n, c, h, w] → [c]. */
function channelSums(x: Value): Value {
  const [n, c, h, w] = x.shape;
  return mul(reduceSum(reshape(blockedChannelMeans(x), [n, c]), [0]), h * w);
}

/** Σ over samples and cells of a·b, both blocked → [c]: a depthwise convolution of a with b as the kernel, one pass. */
function channelProducts(a: Value, b: Value): Value {
  const [n, c, h, w] = a.shape;
  const product = blockedConv(reshape(a, [1, n * c, h, w]), reshape(b, [n * c, 1, h, w]), { group: n * c });
  return reduceSum(reshape(product, [n, c]), [0]);
}

/** x·factor + offset with numbers [c] for each channel of blocked x: a depthwise convolution of one tap. */
function channelAffine(x: Value, factor: Value, offset?: Value): Value {
  const [, c] = x.shape;
  return blockedConv(x, reshape(factor, [c, 1, 1, 1]), { bias: offset, group: c });
}

/** The first `channels` of a vector. */
function trueChannels(vector: Value, channels: number): Value {
  return vector.shape[0] === channels ? vector : slice(vector, { 0: { end: channels } });
}

/** `ReduceSum` over all but the channels, of a product too. */
export function channelSumsRule(
  layout: Layout,
  node: Node,
  [x, axes]: (Value | undefined)[],
): Value[] | undefined {
  const blocked = layout.find(x);
  const over = axes && x!.graph.constants.get(axes.name);
  if (!blocked || !over || [...over.data].map(Number).join() !== "0,2,3") return undefined;
  if (numberAttribute(node.attributes, "keepdims", 1) !== 0) return undefined;
  const product = layout.producer(blocked);
  const factors = product?.op === "Mul" ? product.inputs.map((name) => valueNamed(blocked.graph, name)) : [];
  const sums =
    factors.length === 2 && factors.every((f) => sameShape(f.shape, blocked.shape))
      ? channelProducts(factors[0], factors[1])
      : channelSums(blocked);
  return [trueChannels(sums, x!.shape[1])];
}

/** `BatchNormalization`, by its own statistics or by given ones. */
export function batchNormRule(
  layout: Layout,
  node: Node,
  inputs: (Value | undefined)[],
): Value[] | undefined {
  const [plain, scale, shift, mean, variance] = inputs as Value[];
  const x = layout.find(plain);
  if (!x) return undefined;
  const [channels, wide] = [plain.shape[1], x.shape[1]];
  const epsilon = numberAttribute(node.attributes, "epsilon", 1e-5);
  const wideVector = (v: Value) => padVector(v, wide);
  if (node.attributes.training_mode !== 1) {
    const factor = mul(scale, reciprocal(sqrt(add(variance, epsilon))));
    const offset = sub(shift, mul(mean, factor));
    return [layout.plain(channelAffine(x, wideVector(factor), wideVector(offset)), channels)];
  }
  if (node.attributes.momentum !== 0 || epsilon === 0) return undefined;
  // Two passes: the variance as a difference of squares would lose all digits where the mean is large.
  const share = wide / sizeOf(x.shape);
  const m = mul(channelSums(x), share);
  const ones = constant(x.graph, tensor("float32", [wide], new Float32Array(wide).fill(1)));
  const centred = channelAffine(x, ones, neg(m));
  const v = mul(channelProducts(centred, centred), share);
  const factor = mul(wideVector(scale), reciprocal(sqrt(add(v, epsilon))));
  const y = layout.plain(channelAffine(centred, factor, wideVector(shift)), channels);
  return [y, trueChannels(m, channels), trueChannels(v, channels)];
}

/** `Mul` by one number a channel, [1, c, 1, 1]. */
export function channelScaleRule(layout: Layout, [a, b]: (Value | undefined)[]): Value[] | undefined {
  const [plain, factor] = layout.find(a) ? [a!, b!] : [b!, a!];
  const x = layout.find(plain);
  if (
    !x ||
    factor.shape.join() !== [1, plain.shape[1], 1, 1].join() ||
    factor.shape.join() === plain.shape.join()
  )
    return undefined;
  const scaled = channelAffine(x, padVector(reshape(factor, [plain.shape[1]]), x.shape[1]));
  return [layout.plain(scaled, plain.shape[1])];
}

/** `GlobalAveragePool` */
export function globalAveragePoolRule(layout: Layout, [plain]: (Value | undefined)[]): Value[] | undefined {
  const x = layout.find(plain);
  return x && [layout.plain(blockedChannelMeans(x), plain!.shape[1])];
}

/** `Expand` of one number a channel and sample, [n, c, 1, 1], over all cells: cheap in both layouts. */
export function spreadRule(
  layout: Layout,
  [x]: (Value | undefined)[],
  plain: () => Value[],
): Value[] | undefined {
  if (x?.shape.length !== 4 || x.dtype !== "float32" || x.shape[2] * x.shape[3] !== 1) return undefined;
  const [y] = plain();
  const [n, c, h, w] = y.shape;
  if (n !== x.shape[0] || c !== x.shape[1] || h * w === 1) return undefined;
  const numbers = layout.blocked(x);
  const wide = numbers.shape[1];
  const blocks = (n * wide) / layout.block;
  const spread = expand(reshape(numbers, [blocks, 1, layout.block]), [blocks, h * w, layout.block]);
  layout.pair(y, reshape(spread, [n, wide, h, w]));
  return [y];
}
