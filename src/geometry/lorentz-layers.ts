/**
 * Layers between hyperboloids (Chen et al. 2022, "Fully Hyperbolic Neural Networks"): an ordinary matrix maps the ambient
 * coordinates, and its result is lifted back. The matrices are Euclidean parameters, so every optimiser and every
 * sparse method works on them as on any linear layer.
 */
import type { Value } from "../engine/graph.ts";
import {
  add,
  clip,
  concat,
  div,
  exp,
  gemm,
  layerNorm as layerNormOperator,
  embedding as lookUp,
  mul,
  reduceSumSquare,
  reshape,
  sigmoid,
  sqrt,
  sub,
} from "../engine/operators/index.ts";
import { withScope } from "../engine/scope.ts";
import type { Initializer } from "../nn/initializers.ts";
import { constantFill, normal } from "../nn/initializers.ts";
import type { Layers } from "../nn/layers.ts";
import type { Curvature } from "./curvature.ts";
import { inverseOf, rootOf } from "./curvature.ts";
import { lorentzLift, lorentzNormalize, lorentzParts } from "./lorentz.ts";

export interface LorentzLinearOptions {
  bias?: boolean;
  /** What happens to the ambient coordinates before the matrix: an activation, a dropout. */
  before?: (x: Value) => Value;
  /** Added to the matrix's result before it is lifted, in its shape: the published residual connection. */
  residual?: Value;
  /** Points that one row of the input consists of; each one's time coordinate starts with weight 0. Default 1. */
  inputPoints?: number;
  /** Points that each row of the result is cut into, each with a time coordinate of its own. Default 1. */
  outputPoints?: number;
  /** Initial value of the scale eˢ of the time coordinate. Default 10. */
  scale?: number;
  /** Weights start uniform in ± this. Default 1/√features. */
  bound?: number;
  curvature?: Curvature;
}

/** Time coordinates exceed this over √c: a point at the apex would have no direction to scale. */
const LEAST_TIME = 1.1;

/**
 * Points x [rows, in] to points [rows, features], both ambient (time first); with `outputPoints` p the result is
 * [rows, p, features/p]. With y = W·before(x) + b + residual, each point of the result is (t, y₁…·√((t² − 1/c)/|y₁…|²)),
 * t = eˢ·sigmoid(y₀) + 1.1/√c: on the hyperboloid by construction. Parameters `weight` [features, in], `bias`, `scale` (s).
 */
export function lorentzLinear(
  build: Layers,
  name: string,
  x: Value,
  features: number,
  options: LorentzLinearOptions = {},
): Value {
  const { bias = true, before, residual, inputPoints = 1, outputPoints = 1, scale = 10 } = options;
  const { bound = 1 / Math.sqrt(features), curvature = 1 } = options;
  return withScope(x.graph, name, () => {
    const inputs = x.shape[x.shape.length - 1];
    const w = build.weight(
      `${name}.weight`,
      [features, inputs],
      inputs,
      blindToTime(bound, inputs / inputPoints),
    );
    const b = bias ? build.weight(`${name}.bias`, [features], inputs, constantFill(0)) : undefined;
    const s = build.weight(`${name}.scale`, [], 1, constantFill(Math.log(scale)));
    const product = gemm(before ? before(x) : x, w, { c: b, transB: true });
    const y = residual ? add(product, residual) : product;
    const points = outputPoints === 1 ? y : reshape(y, [-1, outputPoints, features / outputPoints]);
    return liftByTime(points, s, curvature);
  });
}

/** Uniform in ±bound, 0 in the columns that read time coordinates: every `width`-th. */
function blindToTime(bound: number, width: number): Initializer {
  return (shape, _, rng) => {
    const data = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => {
      const value = (2 * rng.uniform() - 1) * bound;
      return (i % shape[1]) % width === 0 ? 0 : value;
    });
    return { dtype: "float32", shape, data };
  };
}

function liftByTime(y: Value, s: Value, c: Curvature): Value {
  const [y0, space] = lorentzParts(y);
  const least = typeof c === "number" ? LEAST_TIME / Math.sqrt(c) : div(LEAST_TIME, rootOf(c));
  const time = add(mul(sigmoid(y0), exp(s)), least);
  const square = clip(reduceSumSquare(space, [-1], { keepDims: true }), 1e-8);
  const stretch = sqrt(div(sub(mul(time, time), inverseOf(c)), square));
  return concat([time, mul(space, stretch)], y.shape.length - 1);
}

/**
 * A table of points for int32 `ids` of any shape: [...ids.shape, features], features ambient. Only the spatial parts
 * are parameters (`weight` [count, features − 1]), so that any optimiser may move them.
 */
export function lorentzEmbedding(
  build: Layers,
  name: string,
  ids: Value,
  count: number,
  features: number,
  { std = 1 / Math.sqrt(features), curvature = 1 }: { std?: number; curvature?: Curvature } = {},
): Value {
  return withScope(ids.graph, name, () =>
    lorentzLift(
      lookUp(build.weight(`${name}.weight`, [count, features - 1], features, normal(std)), ids),
      curvature,
    ),
  );
}

/**
 * x + weight·y, scaled back to the hyperboloid: a residual connection of points (He et al. 2024, "Lorentzian Residual
 * Neural Networks"). `weight` ≥ 0.
 */
export function lorentzResidual(x: Value, y: Value, weight = 1, curvature: Curvature = 1): Value {
  const mean = mul(add(x, mul(y, weight)), 1 / (1 + weight));
  return lorentzNormalize(mean, curvature);
}

/** Layer normalisation of the spatial coordinates, lifted back: x [..., n+1]. Parameters `weight` and `bias` [n]. */
export function lorentzNorm(build: Layers, name: string, x: Value, curvature: Curvature = 1): Value {
  return withScope(x.graph, name, () => {
    const [, space] = lorentzParts(x);
    const n = space.shape[space.shape.length - 1];
    const scale = build.weight(`${name}.weight`, [n], n, constantFill(1));
    const bias = build.weight(`${name}.bias`, [n], n, constantFill(0));
    return lorentzLift(layerNormOperator(space, scale, { bias }), curvature);
  });
}
