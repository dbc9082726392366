import type { Value } from "../engine/graph.ts";
import { add, div, mul, reshape, softmax, transpose } from "../engine/operators/index.ts";
import { withScope } from "../engine/scope.ts";
import { constantFill } from "../nn/initializers.ts";
import type { Layers } from "../nn/layers.ts";
import { lorentzInnerPairs, lorentzMidpoint } from "./lorentz.ts";
import type { LorentzLinearOptions } from "./lorentz-layers.ts";
import { lorentzLinear } from "./lorentz-layers.ts";

/**
 * Attention weights softmax((2 + 2⟨q, k⟩)/scale + bias + mask) over the keys: minus squared Lorentzian distances for logits
 * (Chen et al. 2022). Queries [..., m, n+1], keys [..., k, n+1]; scale and bias scalars → [..., m, k]. Curvature −1.
 */
export function lorentzAttentionWeights(
  query: Value,
  key: Value,
  { scale, bias, mask }: { scale: Value; bias: Value; mask?: Value },
): Value {
  const closeness = add(mul(lorentzInnerPairs(query, key), 2), 2);
  const logits = add(div(closeness, scale), bias);
  return softmax(mask ? add(logits, mask) : logits);
}

export interface LorentzAttentionOptions extends Pick<LorentzLinearOptions, "scale" | "bound"> {
  heads: number;
  /** Positions in a sequence of queries. */
  length: number;
  /** What keys and values are read from, [batch·memoryLength, width]; the queries themselves by default. */
  memory?: Value;
  memoryLength?: number;
  /** Added to the logits, broadcasting to [batch, heads, length, memoryLength]: −1e9 where a query may not look. */
  mask?: Value;
}

/**
 * Multi-head attention of points x [batch·length, width] (ambient width, divisible by the heads): queries, keys and values
 * are points of width/heads numbers each, values meet in their midpoint, and a Lorentz linear layer adds x before it lifts
 * the joined heads. Curvature −1.
 */
export function lorentzAttention(
  build: Layers,
  name: string,
  x: Value,
  options: LorentzAttentionOptions,
): Value {
  const { heads, length, memory = x, memoryLength = length, mask, scale, bound } = options;
  return withScope(x.graph, name, () => {
    const width = x.shape[x.shape.length - 1];
    const project = (part: string, from: Value, positions: number) =>
      transpose(
        reshape(lorentzLinear(build, `${name}.${part}`, from, width, { outputPoints: heads, scale, bound }), [
          -1,
          positions,
          heads,
          width / heads,
        ]),
        [0, 2, 1, 3],
      );
    const weights = lorentzAttentionWeights(
      project("query", x, length),
      project("key", memory, memoryLength),
      {
        scale: build.weight(`${name}.temperature`, [], 1, constantFill(Math.sqrt(width))),
        bias: build.weight(`${name}.offset`, [], 1, constantFill(0)),
        mask,
      },
    );
    const met = lorentzMidpoint(weights, project("value", memory, memoryLength));
    const joined = reshape(transpose(met, [0, 2, 1, 3]), [-1, width]);
    return lorentzLinear(build, `${name}.out`, joined, width, {
      bias: false,
      residual: x,
      inputPoints: heads,
      scale,
      bound,
    });
  });
}
