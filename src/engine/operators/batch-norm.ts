import type { Attributes, Value } from "../graph.ts";
import { sizeOf } from "../tensor.ts";
import { add, mul, neg, reciprocal, sqrt, sub } from "./arithmetic.ts";
import type { EvaluateCall, GradientCall, Numeric } from "./operator.ts";
import { apply, defineOperator, numberAttribute, scalar } from "./operator.ts";
import { reduceMean, reduceSum } from "./reduction.ts";
import { expand } from "./repeat.ts";
import { reshape } from "./reshape.ts";

/** A constant vector of `length` equal numbers. */
export function filled(like: Value, length: number, value: number): Value {
  return expand(scalar(like.graph, value, like.dtype), [length]);
}

const channelAxes = (x: Value) => x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));

/** Sum over everything but the channels (axis 1): [n, c, …] → [c]. */
export function channelSums(x: Value): Value {
  return reduceSum(x, channelAxes(x));
}

/** A vector [c] as [1, c, 1, …], to multiply x by. */
function byChannel(vector: Value, x: Value): Value {
  return reshape(
    vector,
    x.shape.map((d, axis) => (axis === 1 ? d : 1)),
  );
}

/** x·factor + offset, one pair of numbers a channel: normalisation with mean 0 and variance 1, in a single pass. */
export function channelAffine(x: Value, factor: Value, offset: Value): Value {
  const channels = x.shape[1];
  return batchNorm(x, factor, offset, filled(x, channels, 0), filled(x, channels, 1), { epsilon: 0 });
}

export const epsilonOf = (attributes: Attributes) => numberAttribute(attributes, "epsilon", 1e-5);

function channelOf(shape: readonly number[]): (flat: number) => number {
  const cells = sizeOf(shape.slice(2));
  return (flat) => Math.floor(flat / cells) % shape[1];
}

/** Mean and population variance of each channel. */
export function channelStatistics(x: Numeric): { mean: Float64Array; variance: Float64Array } {
  const channel = channelOf(x.shape);
  const count = x.data.length / x.shape[1];
  const mean = new Float64Array(x.shape[1]);
  const variance = new Float64Array(x.shape[1]);
  x.data.forEach((v, i) => {
    mean[channel(i)] += v / count;
  });
  x.data.forEach((v, i) => {
    variance[channel(i)] += (v - mean[channel(i)]) ** 2 / count;
  });
  return { mean, variance };
}

function evaluateBatchNorm({ inputs, attributes }: EvaluateCall): Numeric[] {
  const [x, scale, bias, ...running] = inputs;
  const training = attributes.training_mode === 1;
  const statistics = training ? channelStatistics(x) : { mean: running[0].data, variance: running[1].data };
  const channel = channelOf(x.shape);
  const factor = scale.data.map((s, c) => s / Math.sqrt(statistics.variance[c] + epsilonOf(attributes)));
  const y = x.data.map((v, i) => {
    const c = channel(i);
    return (v - statistics.mean[c]) * factor[c] + bias.data[c];
  });
  const momentum = numberAttribute(attributes, "momentum", 0.9);
  const blend = (old: Numeric, batch: Float64Array): Numeric => ({
    shape: old.shape,
    data: old.data.map((v, c) => v * momentum + batch[c] * (1 - momentum)),
  });
  return [
    { shape: x.shape, data: y },
    ...(training ? [blend(running[0], statistics.mean), blend(running[1], statistics.variance)] : []),
  ];
}

function inferenceGradient({ inputs, gradients: [given], attributes, wanted }: GradientCall) {
  const [x, scale, , mean, variance] = inputs;
  const dy = given!;
  const inverse = reciprocal(sqrt(add(variance, epsilonOf(attributes))));
  const factor = mul(scale, inverse);
  const total = wanted.slice(1).some(Boolean) ? channelSums(dy) : undefined;
  const dScale = wanted[1] || wanted[4] ? scaleGradient(dy, x, mean, inverse, total!) : undefined;
  return [
    wanted[0] ? channelAffine(dy, factor, filled(x, x.shape[1], 0)) : undefined,
    dScale,
    total,
    wanted[3] ? neg(mul(factor, total!)) : undefined,
    wanted[4] ? mul(mul(dScale!, mul(factor, inverse)), -0.5) : undefined,
  ];
}

/** Σ dy · (x − mean) / σ of each channel, in one pass over dy · x; `total` is Σ dy. */
function scaleGradient(dy: Value, x: Value, mean: Value, inverse: Value, total: Value): Value {
  return mul(inverse, sub(channelSums(mul(dy, x)), mul(mean, total)));
}

/**
 * Ioffe & Szegedy 2015, section 3, solved for dx = a·dy + b·x + c with numbers a, b, c of each channel: three passes over
 * the data beside the two sums. Gradients of the statistics that the node gives out join b and c.
 */
function trainingGradient({ inputs, outputs, gradients, attributes, wanted }: GradientCall) {
  const [x, scale] = inputs;
  const [dy, dMean, dVariance] = gradients;
  const epsilon = epsilonOf(attributes);
  const momentum = numberAttribute(attributes, "momentum", 0.9);
  const [mean, variance] =
    momentum === 0 && outputs.length === 3 ? outputs.slice(1) : batchStatistics(x, epsilon);
  const share = 1 / (sizeOf(x.shape) / x.shape[1]);
  const none = filled(x, x.shape[1], 0);
  let b = dVariance ? mul(dVariance, 2 * share * (1 - momentum)) : none;
  let c = dMean ? mul(dMean, share * (1 - momentum)) : none;
  let total: Value | undefined;
  let dScale: Value | undefined;
  let scaled: Value | undefined;
  if (dy) {
    const inverse = reciprocal(sqrt(add(variance, epsilon)));
    const a = mul(scale, inverse);
    total = channelSums(dy);
    dScale = scaleGradient(dy, x, mean, inverse, total);
    b = sub(b, mul(mul(a, mul(inverse, dScale)), share));
    c = sub(c, mul(mul(a, total), share));
    scaled = wanted[0] ? mul(dy, byChannel(a, x)) : undefined;
  }
  const rest = wanted[0] ? channelAffine(x, b, sub(c, mul(b, mean))) : undefined;
  const past = (d: Value | undefined) => (d && momentum !== 0 ? mul(d, momentum) : undefined);
  return [scaled && rest ? add(scaled, rest) : rest, dScale, total, past(dMean), past(dVariance)];
}

defineOperator({
  name: "BatchNormalization",
  attributes: { epsilon: "float", momentum: "float", training_mode: "int" },
  infer: ({ inputs, attributes, outputCount }) => {
    const [x, ...vectors] = inputs;
    if (x!.shape.length < 2) throw new Error(`input [${x!.shape}] has no channel axis`);
    for (const v of vectors)
      if (v!.shape.join() !== `${x!.shape[1]}`)
        throw new Error(`scale, bias, mean and variance need shape [${x!.shape[1]}], found [${v!.shape}]`);
    if (outputCount > 1 && attributes.training_mode !== 1)
      throw new Error("running statistics come out in training mode only (training_mode 1)");
    const statistics = { dtype: x!.dtype, shape: [x!.shape[1]] };
    return [x!, statistics, statistics];
  },
  gradient: (call) =>
    call.attributes.training_mode === 1 ? trainingGradient(call) : inferenceGradient(call),
  evaluate: evaluateBatchNorm,
});

/** Mean and population variance of each channel, as a training-mode node gives them when nothing of the past is kept. */
function batchStatistics(x: Value, epsilon: number): Value[] {
  const [one, zero] = [filled(x, x.shape[1], 1), filled(x, x.shape[1], 0)];
  const { mean, variance } = batchNormTraining(x, one, zero, { epsilon });
  return [mean, variance];
}

export interface NormOptions {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
}

/** (x − mean) / √(variance + ε) · scale + bias for each channel of x [n, c, …]; the four others are [c]. */
export function batchNorm(
  x: Value,
  scale: Value,
  bias: Value,
  mean: Value,
  variance: Value,
  { epsilon = 1e-5 }: NormOptions = {},
): Value {
  return apply(x.graph, "BatchNormalization", [x, scale, bias, mean, variance], { epsilon })[0];
}

/**
 * Normalisation by the batch's own statistics, through which the gradient flows (Ioffe & Szegedy 2015). `mean` and
 * `variance` [c] are those of this batch; the variance is the population's: PyTorch keeps n/(n−1) of it, n = values a
 * channel. Blend them into running statistics with `runningAverage`.
 */
export function batchNormTraining(
  x: Value,
  scale: Value,
  bias: Value,
  { epsilon = 1e-5 }: NormOptions = {},
): { y: Value; mean: Value; variance: Value } {
  // With momentum 0 the past does not count, but ONNX Runtime writes the statistics over the arrays that hold it: they
  // must be two, computed in every run, and read by nobody else.
  const past = reduceMean(x, channelAxes(x));
  const attributes = { epsilon, momentum: 0, training_mode: 1 };
  const [y, mean, variance] = apply(
    x.graph,
    "BatchNormalization",
    [x, scale, bias, past, mul(past, 0)],
    attributes,
    { outputCount: 3 },
  );
  return { y, mean, variance };
}

/** momentum · running + (1 − momentum) · batch: ONNX's momentum, 1 minus PyTorch's. */
export function runningAverage(running: Value, batch: Value, momentum: number): Value {
  return add(mul(running, momentum), mul(batch, 1 - momentum));
}
