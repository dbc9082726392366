import type { Graph, Value } from "../engine/graph.ts";
import { constant, parameter } from "../engine/graph.ts";
import {
  add,
  batchNorm as batchNormOperator,
  conv,
  gemm,
  layerNorm as layerNormOperator,
  embedding as lookUp,
  matmul,
  transpose,
} from "../engine/operators/index.ts";
import { withScope } from "../engine/scope.ts";
import type { Shape } from "../engine/tensor.ts";
import { sizeOf, tensor, zeros } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { deriveSeed, random } from "../random.ts";
import type { Initializer } from "./initializers.ts";
import { constantFill, normal, uniformFanIn } from "./initializers.ts";

export interface LinearOptions {
  bias?: boolean;
  initializer?: Initializer;
}

export interface Conv2dOptions extends LinearOptions {
  /** Side of the square kernel, default 3. */
  kernel?: number;
  stride?: number;
  /** Zeros on every side, default 0. */
  padding?: number;
  groups?: number;
}

/** The layers of one graph. Parameters are named as in PyTorch: `conv1.weight`, `bn1.running_mean`. */
export interface Layers {
  /** A parameter of its own. */
  weight(name: string, shape: Shape, fanIn: number, initializer?: Initializer): Value;
  /** x Wᵀ + b over the last axis; weight [features, in]. */
  linear(name: string, x: Value, features: number, options?: LinearOptions): Value;
  /**
   * Convolution of x [batch, in, height, width]; weight [channels, in/groups, kernel, kernel]. Throws a `Problem` where
   * groups do not divide the channels.
   */
  conv2d(name: string, x: Value, channels: number, options?: Conv2dOptions): Value;
  /** Normalisation of axis 1 by running statistics; a training step uses those of the batch. */
  batchNorm(name: string, x: Value): Value;
  /** Normalisation of the last axis. */
  layerNorm(name: string, x: Value): Value;
  /** Rows of a table [count, features] for integer `ids` of any shape. */
  embedding(name: string, ids: Value, count: number, features: number, options?: { std?: number }): Value;
}

/**
 * Layer functions that add parameters to a graph. A parameter's initial values depend on the seed and its name alone,
 * so adding a layer does not change the others.
 */
export function layers(graph: Graph, seed: number): Layers {
  const weight: Layers["weight"] = (name, shape, fanIn, initializer = uniformFanIn) =>
    parameter(graph, name, initializer(shape, fanIn, random(deriveSeed(seed, "parameter", name))));
  const biasOf = (name: string, size: number, fanIn: number, wanted = true) =>
    wanted ? weight(`${name}.bias`, [size], fanIn, uniformFanIn) : undefined;

  return {
    weight,
    linear: (name, x, features, { bias, initializer } = {}) =>
      withScope(graph, name, () => {
        const inputs = x.shape[x.shape.length - 1];
        const w = weight(`${name}.weight`, [features, inputs], inputs, initializer);
        const b = biasOf(name, features, inputs, bias);
        if (x.shape.length === 2) return gemm(x, w, { c: b, transB: true });
        const y = matmul(x, transpose(w, [1, 0]));
        return b ? add(y, b) : y;
      }),
    conv2d: (
      name,
      x,
      channels,
      { kernel = 3, stride = 1, padding = 0, groups = 1, bias, initializer } = {},
    ) =>
      withScope(graph, name, () => {
        const isCount = Number.isInteger(groups) && groups > 0;
        if (!isCount || x.shape[1] % groups !== 0 || channels % groups !== 0)
          throw new Problem(
            `conv2d "${name}": ${x.shape[1]} channels to ${channels} in ${groups} groups; take a number that divides both`,
          );
        const shape = [channels, x.shape[1] / groups, kernel, kernel];
        const fanIn = sizeOf(shape.slice(1));
        const w = weight(`${name}.weight`, shape, fanIn, initializer);
        return conv(x, w, {
          bias: biasOf(name, channels, fanIn, bias),
          strides: stride,
          pads: padding,
          group: groups,
        });
      }),
    batchNorm: (name, x) =>
      withScope(graph, name, () => {
        const size = x.shape[1];
        const scale = weight(`${name}.weight`, [size], size, constantFill(1));
        const shift = weight(`${name}.bias`, [size], size, constantFill(0));
        const mean = constant(graph, zeros([size]), `${name}.running_mean`);
        const variance = constant(
          graph,
          tensor("float32", [size], new Array<number>(size).fill(1)),
          `${name}.running_var`,
        );
        return batchNormOperator(x, scale, shift, mean, variance);
      }),
    layerNorm: (name, x) =>
      withScope(graph, name, () => {
        const size = x.shape[x.shape.length - 1];
        const scale = weight(`${name}.weight`, [size], size, constantFill(1));
        return layerNormOperator(x, scale, { bias: weight(`${name}.bias`, [size], size, constantFill(0)) });
      }),
    embedding: (name, ids, count, features, { std = 1 } = {}) =>
      withScope(graph, name, () =>
        lookUp(weight(`${name}.weight`, [count, features], features, normal(std)), ids),
      ),
  };
}
