import type { Attributes, Value } from "../graph.ts";
import { sizeOf } from "../tensor.ts";
import { add, div, mul, sqrt, sub, sum } from "./arithmetic.ts";
import type { NormOptions } from "./batch-norm.ts";
import { channelAffine, channelStatistics, channelSums, epsilonOf, filled } from "./batch-norm.ts";
import { matmul } from "./matmul.ts";
import { apply, defineOperator, normalizeAxis, numberAttribute } from "./operator.ts";
import { reduceMean, reduceSum } from "./reduction.ts";
import { expand } from "./repeat.ts";
import { reshape } from "./reshape.ts";

/** Normalises every row of x [rows, length] to mean 0 and variance 1: the rows and 1/√(variance + ε), [rows, 1]. */
function normalizeRows(x: Value, epsilon: number): { rows: Value; inverse: Value } {
  const one = filled(x, x.shape[1], 1);
  const [rows, , inverse] = apply(
    x.graph,
    "LayerNormalization",
    [x, one],
    { axis: -1, epsilon },
    { outputCount: 3 },
  );
  return { rows, inverse };
}

/**
 * ∂/∂x [rows, length] of a normalisation whose rows were scaled by what makes their gradient `d`: what is left of d
 * without its mean and its projection on the row (the mean of d·rows), both [rows, 1], times `factor` [rows, 1].
 */
function rowsGradient(d: Value, mean: Value, projection: Value, rows: Value, factor: Value): Value {
  return mul(sub(sub(d, mean), mul(rows, projection)), factor);
}

interface RowStatistics {
  mean: Float64Array;
  inverse: Float64Array;
}

function rowStatistics(data: Float64Array, rows: number, epsilon: number): RowStatistics {
  const length = data.length / rows;
  const { mean, variance } = channelStatistics({ shape: [1, rows, length], data });
  return { mean, inverse: variance.map((v) => 1 / Math.sqrt(v + epsilon)) };
}

function rowsBefore(shape: readonly number[], attributes: Attributes): { axis: number; rows: number } {
  const axis = normalizeAxis(numberAttribute(attributes, "axis", -1), shape.length);
  return { axis, rows: sizeOf(shape.slice(0, axis)) };
}

defineOperator({
  name: "LayerNormalization",
  attributes: { axis: "int", epsilon: "float", stash_type: "int" },
  infer: ({ inputs: [x, scale, bias], attributes }) => {
    const { axis } = rowsBefore(x!.shape, attributes);
    const inner = x!.shape.slice(axis);
    for (const v of [scale, bias])
      if (v && v.shape.join() !== inner.join())
        throw new Error(`scale and bias need shape [${inner}], found [${v.shape}]`);
    const statistics = { dtype: x!.dtype, shape: x!.shape.map((d, i) => (i < axis ? d : 1)) };
    return [x!, statistics, statistics];
  },
  gradient: ({ inputs: [x, scale, bias], gradients, attributes, wanted }) => {
    const { rows: count } = rowsBefore(x.shape, attributes);
    const [dy, dMean, dInverse] = gradients.map((g) => g && reshape(g, [count, -1]));
    const flat = reshape(x, [count, -1]);
    const { rows, inverse } = normalizeRows(flat, epsilonOf(attributes));
    const weighted = dy && mul(dy, rows);
    const dx = () => {
      const share = 1 / flat.shape[1];
      const parts: Value[] = [];
      if (dy && weighted) {
        // Means of dy·scale and dy·scale·rows as matrix products: one pass each, and dy·rows serves the scale too.
        const shares = reshape(mul(scale, share), [-1, 1]);
        const d = mul(dy, reshape(scale, [-1]));
        parts.push(rowsGradient(d, matmul(dy, shares), matmul(weighted, shares), rows, inverse));
      }
      if (dMean) parts.push(expand(mul(dMean, share), flat.shape));
      if (dInverse) parts.push(mul(rows, mul(mul(dInverse, mul(inverse, inverse)), -share)));
      return reshape(parts.length === 1 ? parts[0] : sum(...parts), x.shape);
    };
    return [
      wanted[0] ? dx() : undefined,
      weighted && wanted[1] ? reshape(reduceSum(weighted, [0]), scale.shape) : undefined,
      dy && bias && wanted[2] ? reshape(reduceSum(dy, [0]), bias.shape) : undefined,
    ];
  },
  evaluate: ({ inputs: [x, scale, bias], attributes, outputTypes }) => {
    const { rows } = rowsBefore(x.shape, attributes);
    const length = x.data.length / rows;
    const { mean, inverse } = rowStatistics(x.data, rows, epsilonOf(attributes));
    const y = x.data.map((v, i) => {
      const row = Math.floor(i / length);
      const at = i % length;
      return (v - mean[row]) * inverse[row] * scale.data[at] + (bias?.data[at] ?? 0);
    });
    return [y, mean, inverse]
      .slice(0, outputTypes.length)
      .map((data, i) => ({ shape: outputTypes[i].shape, data }));
  },
});

export interface LayerNormOptions extends NormOptions {
  /** First axis of those that are normalised together. Default −1: the last alone. */
  axis?: number;
  /** Same shape as the scale. */
  bias?: Value;
}

/** Normalises over all axes from `axis` on, then scales and shifts; `scale` has the shape of those axes (Ba et al. 2016). */
export function layerNorm(
  x: Value,
  scale: Value,
  { axis = -1, bias, epsilon = 1e-5 }: LayerNormOptions = {},
): Value {
  return apply(x.graph, "LayerNormalization", bias ? [x, scale, bias] : [x, scale], { axis, epsilon })[0];
}

defineOperator({
  name: "InstanceNormalization",
  attributes: { epsilon: "float" },
  infer: ({ inputs: [x, scale, bias] }) => {
    if (x!.shape.length < 3) throw new Error(`input [${x!.shape}] has no spatial axes`);
    for (const v of [scale, bias])
      if (v!.shape.join() !== `${x!.shape[1]}`)
        throw new Error(`scale and bias need shape [${x!.shape[1]}], found [${v!.shape}]`);
    return [x!];
  },
  gradient: ({ inputs: [x, scale], gradients: [dy], attributes, wanted }) => {
    const [n, channels] = x.shape;
    const flat = (v: Value) => reshape(v, [n * channels, -1]);
    const { rows, inverse } = normalizeRows(flat(x), epsilonOf(attributes));
    const factor = reshape(mul(reshape(inverse, [n, channels]), scale), [n * channels, 1]);
    const mean = (v: Value) => reduceMean(v, [1], { keepDims: true });
    const dx = () => {
      const d = flat(dy!);
      return reshape(rowsGradient(d, mean(d), mean(mul(d, rows)), rows, factor), x.shape);
    };
    return [
      wanted[0] ? dx() : undefined,
      wanted[1] ? channelSums(mul(dy!, reshape(rows, x.shape))) : undefined,
      wanted[2] ? channelSums(dy!) : undefined,
    ];
  },
  evaluate: ({ inputs: [x, scale, bias], attributes }) => {
    const rows = x.shape[0] * x.shape[1];
    const length = x.data.length / rows;
    const { mean, inverse } = rowStatistics(x.data, rows, epsilonOf(attributes));
    const data = x.data.map((v, i) => {
      const row = Math.floor(i / length);
      const channel = row % x.shape[1];
      return (v - mean[row]) * inverse[row] * scale.data[channel] + bias.data[channel];
    });
    return [{ shape: x.shape, data }];
  },
});

/** Normalises every channel of every sample over its own cells: x [n, c, …], scale and bias [c]. */
export function instanceNorm(
  x: Value,
  scale: Value,
  bias: Value,
  { epsilon = 1e-5 }: NormOptions = {},
): Value {
  return apply(x.graph, "InstanceNormalization", [x, scale, bias], { epsilon })[0];
}

/**
 * Normalises `groups` equal runs of channels of every sample, then scales and shifts by channel (Wu & He 2018): x
 * [n, c, …], scale and bias [c]. Written as instance normalisation of the groups, as PyTorch's exporter does.
 */
export function groupNorm(
  x: Value,
  groups: number,
  scale: Value,
  bias: Value,
  options: NormOptions = {},
): Value {
  if (x.shape[1] % groups !== 0)
    throw new Error(`${x.shape[1]} channels do not split into ${groups} equal groups`);
  const grouped = reshape(x, [x.shape[0], groups, -1]);
  const normalized = instanceNorm(grouped, filled(x, groups, 1), filled(x, groups, 0), options);
  return channelAffine(reshape(normalized, x.shape), scale, bias);
}

/** x / √(mean x² + ε) · scale over the last axis; `scale` has its length (Zhang & Sennrich 2019). */
export function rmsNorm(x: Value, scale: Value, { epsilon = 1e-5 }: NormOptions = {}): Value {
  const meanSquare = reduceMean(mul(x, x), [-1], { keepDims: true });
  return mul(div(x, sqrt(add(meanSquare, epsilon))), scale);
}
