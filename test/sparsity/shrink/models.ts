import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import {
  add,
  averagePool,
  batchNorm,
  concat,
  conv,
  convTranspose,
  flatten,
  gather,
  gemm,
  globalAveragePool,
  instanceNorm,
  leakyRelu,
  matmul,
  maxPool,
  mul,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  split,
  tanh,
  transpose,
} from "../../../src/engine/operators/index.ts";
import type { Shape } from "../../../src/engine/tensor.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import type { Random } from "../../../src/random.ts";

/** Random networks of random widths, one for each kind of coupling that channels know. */
export interface Builder {
  graph: Graph;
  random: Random;
}

const normals = (random: Random, count: number, scale: number, shift = 0) =>
  Float32Array.from({ length: count }, () => random.normal() * scale + shift);

/** Weights keep the scale of what passes through them; vectors are small around `shift`, so that few rectifiers are dead. */
export function weight({ graph, random }: Builder, name: string, shape: Shape, shift = 0): Value {
  const scale = shape.length > 1 ? Math.sqrt(2 / sizeOf(shape.slice(1))) : 0.2;
  return parameter(graph, name, tensor("float32", shape, normals(random, sizeOf(shape), scale, shift)));
}

interface ConvOptions {
  kernel?: number;
  stride?: number;
  group?: number;
  bias?: boolean;
}

export function convolve(
  b: Builder,
  x: Value,
  name: string,
  out: number,
  { kernel = 3, stride = 1, group = 1, bias = true }: ConvOptions = {},
): Value {
  const w = weight(b, `${name}.weight`, [out, x.shape[1] / group, kernel, kernel]);
  const pads = Math.floor(kernel / 2);
  const options = { strides: stride, pads, group };
  return conv(x, w, bias ? { ...options, bias: weight(b, `${name}.bias`, [out]) } : options);
}

export function normalize(b: Builder, x: Value, name: string): Value {
  const channels = x.shape[1];
  const statistics = (label: string, shift: number, scale: number) =>
    constant(
      b.graph,
      tensor(
        "float32",
        [channels],
        normals(b.random, channels, scale).map((v) => shift + Math.abs(v)),
      ),
      `${name}.${label}`,
    );
  return batchNorm(
    x,
    weight(b, `${name}.weight`, [channels], 1),
    weight(b, `${name}.bias`, [channels]),
    statistics("mean", 0, 0.3),
    statistics("variance", 0.5, 0.5),
  );
}

export function linear(b: Builder, x: Value, name: string, out: number): Value {
  return gemm(x, weight(b, `${name}.weight`, [out, x.shape[1]]), {
    c: weight(b, `${name}.bias`, [out]),
    transB: true,
  });
}

function start(random: Random, shape: Shape): { b: Builder; x: Value } {
  const graph = createGraph("model");
  return { b: { graph, random }, x: input(graph, "x", shape) };
}

function finish({ b }: { b: Builder }, y: Value): Graph {
  output(y);
  return b.graph;
}

/** A width between `low` and `high`. */
const width = (random: Random, low = 5, high = 9) => low + random.integer(high - low + 1);

/** Convolutions, batch norms, pooling, flatten, two linear layers. */
export function miniVgg(random: Random): Graph {
  const model = start(random, [1, 3, 6, 6]);
  const { b } = model;
  let { x } = model;
  for (const stage of [1, 2]) {
    for (const i of [1, 2]) {
      x = convolve(b, x, `stage${stage}.conv${i}`, width(random));
      if (i === 1) x = normalize(b, x, `stage${stage}.bn${i}`);
      x = relu(x);
    }
    x = maxPool(x, 2);
  }
  x = relu(linear(b, flatten(x), "fc1", width(random)));
  return finish(model, linear(b, x, "fc2", 5));
}

/** Two stages of residual blocks; the second starts with a stride and a projection on the shortcut. */
export function miniResNet(random: Random): Graph {
  const model = start(random, [1, 3, 6, 6]);
  const { b } = model;
  let x = relu(normalize(b, convolve(b, model.x, "stem", width(random), { bias: false }), "stem.bn"));
  const block = (from: Value, name: string, out: number, stride: number) => {
    const inner = relu(
      normalize(b, convolve(b, from, `${name}.conv1`, width(random), { stride, bias: false }), `${name}.bn1`),
    );
    const branch = normalize(b, convolve(b, inner, `${name}.conv2`, out, { bias: false }), `${name}.bn2`);
    const shortcut =
      stride === 1
        ? from
        : normalize(
            b,
            convolve(b, from, `${name}.proj`, out, { stride, kernel: 1, bias: false }),
            `${name}.bnp`,
          );
    return relu(add(branch, shortcut));
  };
  x = block(x, "a1", x.shape[1], 1);
  x = block(x, "a2", x.shape[1], 1);
  x = block(x, "b1", width(random), 2);
  x = block(x, "b2", x.shape[1], 1);
  return finish(model, linear(b, flatten(globalAveragePool(x)), "fc", 4));
}

/** Depthwise convolutions between pointwise ones, the second with two filters a channel, and a squeeze-and-excite gate. */
export function miniMobileNet(random: Random): Graph {
  const model = start(random, [1, 3, 6, 6]);
  const { b } = model;
  let x = relu(normalize(b, convolve(b, model.x, "stem", width(random)), "stem.bn"));
  for (const [i, multiplier] of [1, 2].entries()) {
    const channels = x.shape[1];
    x = convolve(b, x, `dw${i}`, channels * multiplier, { group: channels, stride: 1 + i, bias: false });
    x = relu(normalize(b, x, `dw${i}.bn`));
    x = normalize(b, convolve(b, x, `pw${i}`, width(random), { kernel: 1 }), `pw${i}.bn`);
    const squeezed = relu(convolve(b, globalAveragePool(x), `se${i}.down`, width(random), { kernel: 1 }));
    x = mul(x, sigmoid(convolve(b, squeezed, `se${i}.up`, x.shape[1], { kernel: 1 })));
  }
  return finish(model, linear(b, reshape(globalAveragePool(x), [1, -1]), "fc", 4));
}

/** Every layer reads all earlier ones through a batch norm of their concatenation. */
export function miniDenseNet(random: Random): Graph {
  const model = start(random, [1, 3, 6, 6]);
  const { b } = model;
  let x = convolve(b, model.x, "stem", width(random), { bias: false });
  for (const blockName of ["block1", "block2"]) {
    for (const i of [1, 2]) {
      const name = `${blockName}.layer${i}`;
      const grown = convolve(b, relu(normalize(b, x, `${name}.bn`)), `${name}.conv`, width(random), {
        bias: false,
      });
      x = concat([x, grown], 1);
    }
    x = relu(normalize(b, x, `${blockName}.transition.bn`));
    x = averagePool(convolve(b, x, `${blockName}.transition`, width(random), { kernel: 1, bias: false }), 2);
  }
  return finish(model, linear(b, flatten(x), "fc", 4));
}

/** A grouped convolution between dense ones, and a channel shuffle before a second one. */
export function groupedNet(random: Random): Graph {
  const model = start(random, [1, 3, 6, 6]);
  const { b } = model;
  const groups = 2 + random.integer(2);
  let x = relu(convolve(b, model.x, "conv1", groups * width(random, 3, 4)));
  x = relu(convolve(b, x, "grouped1", groups * width(random, 3, 4), { group: groups }));
  const [n, c, h, w] = x.shape;
  x = reshape(transpose(reshape(x, [n, groups, c / groups, h, w]), [0, 2, 1, 3, 4]), [n, c, h, w]);
  x = relu(convolve(b, x, "conv2", groups * width(random, 3, 4), { kernel: 1 }));
  x = relu(convolve(b, x, "grouped2", groups * width(random, 3, 4), { group: groups, kernel: 1 }));
  return finish(model, linear(b, flatten(maxPool(x, 2)), "fc", 4));
}

/** Gemm beside the MatMul + Add spelling, with activations that give 0 for 0 and ones that do not. */
export function mlp(random: Random): Graph {
  const model = start(random, [3, 6]);
  const { b } = model;
  let x = tanh(linear(b, model.x, "fc1", width(random)));
  const hidden = width(random);
  x = leakyRelu(
    add(matmul(x, weight(b, "fc2.weight", [x.shape[1], hidden])), weight(b, "fc2.bias", [hidden])),
  );
  x = sigmoid(linear(b, x, "fc3", width(random)));
  return finish(model, softmax(linear(b, x, "fc4", 4)));
}

/** A split into two branches of different depth that meet in a concatenation, and upsampling by a transposed convolution. */
export function branches(random: Random): Graph {
  const model = start(random, [1, 3, 6, 6]);
  const { b } = model;
  const [left, right] = [width(random), width(random)];
  const [p, q] = split(relu(convolve(b, model.x, "conv1", left + right)), [left, right], 1);
  const deep = relu(
    convolve(b, relu(convolve(b, p, "left1", width(random))), "left2", width(random), { kernel: 1 }),
  );
  let x = concat([deep, relu(convolve(b, q, "right", width(random)))], 1);
  const up = weight(b, "up.weight", [x.shape[1], width(random), 2, 2]);
  x = relu(convTranspose(x, up, { bias: weight(b, "up.bias", [up.shape[1]]), strides: 2 }));
  x = concat(
    [slice(x, { 1: { start: -2 }, 2: { start: 1 } }), slice(x, { 1: { end: -2 }, 2: { start: 1, end: 99 } })],
    1,
  );
  x = gather(x, [...b.random.permutation(x.shape[1])], 1);
  const normal = instanceNorm(
    x,
    weight(b, "norm.weight", [x.shape[1]], 1),
    weight(b, "norm.bias", [x.shape[1]]),
  );
  return finish(model, linear(b, flatten(relu(convolve(b, normal, "conv2", width(random)))), "fc", 4));
}

/** Multi-head attention on tokens, heads cut by reshape and transpose, and an MLP with a residual; x [batch, tokens, width]. */
export function attention(random: Random): Graph {
  const model = start(random, [2, 5, 6]);
  const { b, x } = model;
  const [heads, size] = [width(random, 3, 4), width(random, 3, 4)];
  const inner = heads * size;
  const dense = (v: Value, name: string, out: number) =>
    add(matmul(v, weight(b, `${name}.weight`, [v.shape[2], out])), weight(b, `${name}.bias`, [out]));
  const embedded = dense(x, "embed", width(random));
  const cut = (v: Value, perm: number[]) => transpose(reshape(v, [2, 5, heads, size]), perm);
  const q = cut(dense(embedded, "q", inner), [0, 2, 1, 3]);
  const k = cut(dense(embedded, "k", inner), [0, 2, 3, 1]);
  const v = cut(dense(embedded, "v", inner), [0, 2, 1, 3]);
  const scores = softmax(mul(matmul(q, k), 1 / Math.sqrt(size)));
  const context = reshape(transpose(matmul(scores, v), [0, 2, 1, 3]), [2, 5, inner]);
  const attended = add(dense(context, "o", embedded.shape[2]), embedded);
  const mixed = add(dense(relu(dense(attended, "up", width(random))), "down", embedded.shape[2]), attended);
  return finish(model, dense(mixed, "head", 3));
}

export const MODELS: Record<string, (random: Random) => Graph> = {
  "mini-VGG": miniVgg,
  "mini-ResNet": miniResNet,
  "mini-MobileNet": miniMobileNet,
  "mini-DenseNet": miniDenseNet,
  "grouped convolutions with a shuffle": groupedNet,
  MLP: mlp,
  branches: branches,
  attention: attention,
};
