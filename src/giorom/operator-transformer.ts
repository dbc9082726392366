import type { Value } from "../engine/graph.ts";
import { constant } from "../engine/graph.ts";
import {
  add,
  div,
  dropout,
  gelu,
  matmul,
  mul,
  reduceSum,
  reshape,
  slice,
  softmax,
  sum,
  transpose,
} from "../engine/operators/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Layers } from "../nn/layers.ts";

/** Linear-attention transformer over the latent nodes, after GNOT (Hao et al. 2023), as in the paper's later versions. */
export interface OperatorTransformerOptions {
  width: number;
  heads: number;
  blocks: number;
  /** Feed-forward networks that a gate mixes. */
  experts: number;
  /** Of both attentions' results while training. */
  dropout: number;
}

/**
 * Attention whose cost is linear in the number of tokens (GIOROM spec 3.6). For each head, with q and k softmaxed over their
 * channels: out = q + q (Σ kᵀ v) / (q · Σ k). Queries [batch, tokens, width], keys and values from [batch or 1, tokens, width].
 */
export function linearAttention(
  build: Layers,
  name: string,
  queries: Value,
  sources: Value,
  heads: number,
): Value {
  const width = queries.shape[2];
  const split = (part: string, x: Value) => {
    const [batch, tokens] = x.shape;
    const y = build.linear(`${name}.${part}`, x, width);
    return transpose(reshape(y, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
  };
  const q = softmax(split("query", queries));
  const k = softmax(split("key", sources));
  const v = split("value", sources);
  const mixed = matmul(q, matmul(transpose(k, [0, 1, 3, 2]), v));
  const norm = reduceSum(mul(q, reduceSum(k, [2], { keepDims: true })), [3], { keepDims: true });
  const out = add(q, div(mixed, norm));
  return build.linear(`${name}.out`, reshape(transpose(out, [0, 2, 1, 3]), queries.shape), width);
}

/** Linear, GELU, a residual layer, linear. */
function residualMlp(build: Layers, name: string, x: Value, width: number, features: number): Value {
  const first = gelu(build.linear(`${name}.0`, x, width));
  return build.linear(`${name}.2`, add(gelu(build.linear(`${name}.1`, first, width)), first), features);
}

/**
 * z [batch, tokens, channels] → [batch, tokens, features].
 *
 * @param places The tokens' coordinates, [tokens, dim].
 * @param seed A fed counter of steps for dropout; without it there is none.
 */
export function operatorTransformer(
  build: Layers,
  name: string,
  z: Value,
  features: number,
  places: Tensor<"float32">,
  { width, heads, blocks, experts, dropout: rate }: OperatorTransformerOptions,
  seed?: Value,
): Value {
  const drop = (x: Value) => (seed ? dropout(x, rate, seed) : x);
  const [tokens, dim] = places.shape;
  const grid = reshape(constant(z.graph, places), [1, tokens, dim]);
  const y = residualMlp(build, `${name}.branch`, grid, width, width);
  let x = residualMlp(build, `${name}.trunk`, z, width, width);
  for (let i = 0; i < blocks; i++) {
    const at = `${name}.${i}`;
    const norm = (k: number, v: Value) => build.layerNorm(`${at}.norm${k}`, v);
    const gates = softmax(residualMlp(build, `${at}.gate`, z, width, experts));
    const feedForward = (part: string, v: Value) =>
      sum(
        ...Array.from({ length: experts }, (_, e) => {
          const hidden = gelu(build.linear(`${at}.${part}.${e}.0`, v, width));
          const result = build.linear(`${at}.${part}.${e}.1`, hidden, width);
          return mul(result, slice(gates, { 2: { start: e, end: e + 1 } }));
        }),
      );
    x = add(x, drop(linearAttention(build, `${at}.cross`, norm(1, x), norm(2, y), heads)));
    x = add(x, norm(3, feedForward("ffn1", x)));
    const own = norm(4, x);
    x = add(x, drop(linearAttention(build, `${at}.self`, own, own, heads)));
    x = add(x, norm(5, feedForward("ffn2", x)));
  }
  return residualMlp(build, `${name}.out`, x, width, features);
}
