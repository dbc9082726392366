import type { Graph, Node, Value } from "../../engine/graph.ts";
import { convWeightGradient, gradientWindows } from "../../engine/operators/convolution-gradients.ts";
import { add, conv, gemm, mul, reshape, transpose } from "../../engine/operators/index.ts";
import { apply } from "../../engine/operators/operator.ts";
import { windowOptions } from "../../engine/operators/windows.ts";
import { sizeOf } from "../../engine/tensor.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import type { LinearMap } from "./linear-maps.ts";

/**
 * One place where a training graph applies a linear map to an input x. Vectors are rows: `down` and `up` take matrices of
 * q rows, one for each of q directions, whatever the layer is.
 */
export interface Site {
  readonly graph: Graph;
  /** What the layer adds after the product. */
  readonly bias: Value | undefined;
  /** x's coordinates along q directions [q, inputs]. */
  down(directions: Value): Value;
  /** Coordinates, or outputs, times one factor each [q], plus one number each. */
  scale(coordinates: Value, factors: Value, plus?: Value): Value;
  /** Σ of q directions [q, outputs] times their coordinates, plus `to`: the bias, or what `up` or `dense` gave. */
  up(coordinates: Value, directions: Value, to?: Value): Value;
  /** W x plus `to`, such as the bias, for a weight stored as the model stores it. */
  dense(weight: Value, to?: Value): Value;
  /** ∂/∂directions of `down`, given the derivative with respect to its result. */
  downGradient(derivative: Value): Value;
  /** ∂/∂directions of `up`, had it been applied to `coordinates`, given the derivative with respect to its result. */
  upGradient(coordinates: Value, derivative: Value): Value;
}

/** How a method computes a linear map. */
export interface Products {
  /** Declares what takes the place of the weight: parameters and inputs of the training graph. */
  declare(map: LinearMap, weight: Value): void;
  /** The layer's result by `site`'s functions. */
  compute(map: LinearMap, site: Site): Value;
}

/** The members of a `Sparsifier` that compute `maps` in another way. The weights leave the training graph. */
export function replaceProducts(
  maps: readonly LinearMap[],
  { declare, compute }: Products,
): Required<Pick<Sparsifier, "reparameterize" | "replaceNode">> {
  const known = new Map(maps.map((m) => [m.weight, m]));
  return {
    reparameterize: (weight) => {
      const map = known.get(weight.name);
      if (!map) return undefined;
      declare(map, weight);
      weight.graph.parameters.delete(weight.name);
      return undefined;
    },
    replaceNode: (node, inputs, target) => {
      const at = node.op === "Transpose" ? 0 : 1;
      const weight = inputs[at];
      const map = weight && known.get(weight.name);
      if (!map) return undefined;
      // Products read the weight itself in either orientation.
      if (node.op === "Transpose") return [weight];
      return [
        map.kernel
          ? convolutionSite(map, node, inputs, target, compute)
          : matrixSite(map, node, inputs, compute),
      ];
    },
  };
}

type Compute = Products["compute"];

function matrixSite(
  map: LinearMap,
  node: Node,
  inputs: readonly (Value | undefined)[],
  compute: Compute,
): Value {
  const x = inputs[0]!;
  const rows = x.shape.length === 2 ? x : reshape(x, [-1, map.inputs]);
  const bias = node.op === "Gemm" ? inputs[2] : undefined;
  const y = compute(map, {
    graph: x.graph,
    bias,
    down: (directions) => gemm(rows, directions, { transB: true }),
    scale: (coordinates, factors, plus) => {
      const scaled = mul(coordinates, factors);
      return plus ? add(scaled, plus) : scaled;
    },
    up: (coordinates, directions, to) => gemm(coordinates, directions, { c: to }),
    dense: (weight, to) => gemm(rows, weight, { c: to, transB: !map.turned }),
    downGradient: (derivative) => gemm(derivative, rows, { transA: true }),
    upGradient: (coordinates, derivative) => gemm(coordinates, derivative, { transA: true }),
  });
  return x.shape.length === 2 ? y : reshape(y, [-1, ...x.shape.slice(1, -1), map.outputs]);
}

function convolutionSite(
  map: LinearMap,
  node: Node,
  [x, , bias]: readonly (Value | undefined)[],
  target: Graph,
  compute: Compute,
): Value {
  const kernel = map.kernel!;
  const spatial = kernel.slice(1);
  const filters = (directions: Value) => reshape(directions, [-1, ...kernel]);
  const pixels = spatial.map(() => 1);
  const everywhere = (each: Value) => reshape(each, [1, -1, ...pixels]);
  const windows = (input: readonly number[], size: readonly number[], own = node.attributes) =>
    gradientWindows(own, input, size).windows;
  return compute(map, {
    graph: target,
    bias,
    down: (directions) => {
      const w = filters(directions);
      return conv(x!, w, windowOptions(windows(x!.shape.slice(2), spatial)));
    },
    scale: (coordinates, factors, plus) => {
      const scaled = mul(coordinates, everywhere(factors));
      return plus ? add(scaled, everywhere(plus)) : scaled;
    },
    up: (coordinates, directions, to) => {
      const w = reshape(transpose(directions, [1, 0]), [map.outputs, -1, ...pixels]);
      if (to === undefined || to.shape.length === 1) return conv(coordinates, w, { bias: to });
      return add(conv(coordinates, w), to);
    },
    dense: (weight, to) => apply(target, "Conv", to ? [x, weight, to] : [x, weight], node.attributes)[0],
    downGradient: (derivative) => {
      const gradient = convWeightGradient(x!, derivative, windows(x!.shape.slice(2), spatial), 1);
      return reshape(gradient, [derivative.shape[1], map.inputs]);
    },
    upGradient: (coordinates, derivative) => {
      const own = windows(coordinates.shape.slice(2), pixels, {});
      const gradient = convWeightGradient(coordinates, derivative, own, 1);
      return transpose(reshape(gradient, [map.outputs, sizeOf(gradient.shape) / map.outputs]), [1, 0]);
    },
  });
}
