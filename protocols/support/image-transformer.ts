import type { Graph, Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import {
  add,
  gelu,
  matmul,
  mul,
  reduceMean,
  reshape,
  softmax,
  transpose,
} from "../../src/engine/operators/index.ts";
import type { Layers } from "../../src/nn/layers.ts";
import { layers } from "../../src/nn/layers.ts";

export interface ImageTransformerOptions {
  batch: number;
  seed: number;
  /** Of every attention; each is 8 wide. */
  heads: number;
  /** Hidden neurons of every MLP. */
  mlpWidth: number;
}

const [PATCH, TOKENS, WIDTH, SIZE, BLOCKS, CLASSES] = [4, 16, 48, 8, 2, 10];

/** A vision transformer (Dosovitskiy et al. 2021) for images of 16 × 16: patches of 4 × 4, two blocks, the tokens' mean. */
export function imageTransformer({ batch, seed, heads, mlpWidth }: ImageTransformerOptions): Graph {
  const graph = createGraph("image-transformer");
  const build = layers(graph, seed);
  const image = reshape(input(graph, "input", [batch, 1, 16, 16]), [-1, PATCH, PATCH, PATCH, PATCH]);
  const patches = reshape(transpose(image, [0, 1, 3, 2, 4]), [-1, PATCH * PATCH]);
  const embedded = reshape(build.linear("patches", patches, WIDTH), [-1, TOKENS, WIDTH]);
  let x = reshape(add(embedded, build.weight("positions", [TOKENS, WIDTH], WIDTH)), [-1, WIDTH]);
  for (let i = 1; i <= BLOCKS; i++) {
    x = add(x, attention(build, `attention${i}`, build.layerNorm(`norm${i}a`, x), heads));
    const hidden = gelu(build.linear(`mlp${i}.in`, build.layerNorm(`norm${i}b`, x), mlpWidth));
    x = add(x, build.linear(`mlp${i}.out`, hidden, WIDTH));
  }
  const mean = reduceMean(reshape(build.layerNorm("norm", x), [-1, TOKENS, WIDTH]), [1]);
  output(build.linear("fc", mean, CLASSES));
  return graph;
}

function attention(build: Layers, name: string, x: Value, heads: number): Value {
  const part = (of: string, perm: number[]) =>
    transpose(reshape(build.linear(`${name}.${of}`, x, heads * SIZE), [-1, TOKENS, heads, SIZE]), perm);
  const scores = mul(matmul(part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1])), SIZE ** -0.5);
  const mixed = transpose(matmul(softmax(scores), part("value", [0, 2, 1, 3])), [0, 2, 1, 3]);
  return build.linear(`${name}.out`, reshape(mixed, [-1, heads * SIZE]), WIDTH);
}
