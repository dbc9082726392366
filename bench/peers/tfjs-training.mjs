/** The training steps in TensorFlow.js on its WebAssembly backend, which runs on one thread in Node.js. */
import { load, options, serve, version } from "./serve.mjs";

const tf = load("@tensorflow/tfjs");
load("@tensorflow/tfjs-backend-wasm");
await tf.setBackend("wasm");
await tf.ready();

const kernels = new Set(tf.getKernelsForBackend("wasm").map((k) => k.kernelName));
const missing = (names) => names.filter((n) => !kernels.has(n));

/** x·wᵀ. The backend's matrix product is many times slower where it is told to transpose, as its own gradient does. */
const matmul = tf.customGrad((x, w, save) => {
  save([x, w]);
  return {
    value: tf.matMul(x, w.transpose()),
    gradFunc: (dy, [x, w]) => [tf.matMul(dy, w), tf.matMul(dy.transpose(), x)],
  };
});

const linear = (P, name, x) => matmul(x, P[`${name}.weight`]).add(P[`${name}.bias`]);

/** Convolution, NHWC; its weight gradient is a convolution with swapped roles, dilated where the stride is not 1. */
const convolution = (padding, stride = 1) =>
  tf.customGrad((x, w, save) => {
    const edge = [padding, padding];
    const padded = padding ? x.pad([[0, 0], edge, edge, [0, 0]]) : x;
    save([padded, w]);
    const [n, height, width, channels] = x.shape;
    return {
      value: tf.conv2d(padded, w, stride, "valid"),
      gradFunc: (dy, [padded, w]) => {
        const dx = tf.conv2dTranspose(dy, w, padded.shape, stride, "valid");
        const turned = [padded.transpose([3, 1, 2, 0]), dy.transpose([1, 2, 0, 3])];
        const dw = tf.conv2d(...turned, 1, "valid", "NHWC", stride).transpose([1, 2, 0, 3]);
        return [
          dx.slice([0, padding, padding, 0], [n, height, width, channels]),
          dw.slice([0, 0, 0, 0], w.shape),
        ];
      },
    };
  });
const conv = convolution(0);
const conv3x3 = convolution(1);
const halving3x3 = convolution(1, 2);
const halving1x1 = convolution(0, 2);

/** Normalisation by the batch's own statistics. */
const batchNorm = (P, name, x) => {
  const centred = x.sub(x.mean([0, 1, 2], true));
  const scale = centred.square().mean([0, 1, 2], true).add(1e-5).rsqrt();
  return centred.mul(scale).mul(P[`${name}.weight`]).add(P[`${name}.bias`]);
};

/** The maximum of 2×2 windows. This backend's own gradient of it is off by half of its largest element. */
const pool = tf.customGrad((x, save) => {
  const y = tf.maxPool(x, 2, 2, "valid");
  save([x, y]);
  return {
    value: y,
    gradFunc: (dy, [x, y]) => {
      const [n, height, width, channels] = y.shape;
      // Each cell four times by copying rows: broadcasting is slow here.
      const spread = (t) => {
        const across = tf.concat([t, t], 3).reshape([n, height, 2 * width * channels]);
        return tf.concat([across, across], 2).reshape(x.shape);
      };
      return x.equal(spread(y)).toFloat().mul(spread(dy));
    },
  };
});

const layerNorm = (P, name, x) => {
  const centred = x.sub(x.mean(-1, true));
  const scale = centred.square().mean(-1, true).add(1e-5).rsqrt();
  return centred.mul(scale).mul(P[`${name}.weight`]).add(P[`${name}.bias`]);
};

/** Tokens as one-hot rows [n, context, vocabulary] to [n, context, width]; tokens see those before them. */
function transformer(P, tokens, { blocks, heads, activation, norm = (_, __, x) => x }) {
  const [n, context, vocabulary] = tokens.shape;
  const width = P.positions.shape[1];
  const size = width / heads;
  const rows = (x) => x.reshape([n * context, -1]);
  const later = Array.from({ length: context ** 2 }, (_, i) =>
    i % context > Math.floor(i / context) ? -1e9 : 0,
  );
  const mask = tf.tensor2d(later, [context, context]);
  const table = tf.matMul(tokens.reshape([n * context, vocabulary]), P["tokens.weight"]);
  let x = rows(table.reshape([n, context, width]).add(P.positions));
  for (let i = 1; i <= blocks; i++) {
    const block = `block${i}`;
    const [q, k, v] = linear(P, `${block}.attention.qkv`, norm(P, `${block}.norm1`, x))
      .split(3, 1)
      .map((part) => part.reshape([n, context, heads, size]).transpose([0, 2, 1, 3]));
    const scores = tf
      .matMul(q, k, false, true)
      .mul(size ** -0.5)
      .add(mask);
    const mixed = rows(tf.matMul(scores.softmax(), v).transpose([0, 2, 1, 3]));
    x = x.add(linear(P, `${block}.attention.out`, mixed));
    const hidden = activation(linear(P, `${block}.mlp.1`, norm(P, `${block}.norm2`, x)));
    x = x.add(linear(P, `${block}.mlp.2`, hidden));
  }
  return x.reshape([n, context, width]);
}

const nets = {
  "lenet-300-100": (P, x) => {
    const h = linear(P, "fc1", x.reshape([x.shape[0], -1])).relu();
    return linear(P, "fc3", linear(P, "fc2", h).relu());
  },
  // Channels last, as TensorFlow.js has it: weights are turned on the way in, and the last activations back.
  lenet: (P, x) => {
    const layer = (name, x) => pool(conv(x, P[`${name}.weight`]).add(P[`${name}.bias`]));
    const h = layer("conv2", layer("conv1", x.transpose([0, 2, 3, 1])));
    const flat = h.transpose([0, 3, 1, 2]).reshape([x.shape[0], -1]);
    return linear(P, "fc2", linear(P, "fc1", flat).relu());
  },
  vgg: (P, x) => {
    let h = x.transpose([0, 2, 3, 1]);
    for (let i = 1; i <= 6; i++) {
      h = conv3x3(h, P[`conv${i}.weight`]).add(P[`conv${i}.bias`]).relu();
      if (i % 2 === 0) h = pool(h);
    }
    return linear(P, "fc", h.mean([1, 2]));
  },
  resnet20: (P, x) => {
    const layer = (name, x, filter) => batchNorm(P, `${name}.bn`, filter(x, P[`${name}.conv.weight`]));
    let h = layer("stem", x.transpose([0, 2, 3, 1]), conv3x3).relu();
    for (const stage of [1, 2, 3])
      for (const block of [1, 2, 3]) {
        const name = `stage${stage}.block${block}`;
        const halves = stage > 1 && block === 1;
        const inner = layer(`${name}.1`, h, halves ? halving3x3 : conv3x3).relu();
        const branch = layer(`${name}.2`, inner, conv3x3);
        h = branch.add(halves ? layer(`${name}.shortcut`, h, halving1x1) : h).relu();
      }
    return linear(P, "fc", h.mean([1, 2]));
  },
  "modular-transformer": (P, tokens) => {
    const x = transformer(P, tokens, { blocks: 1, heads: 1, activation: (x) => x.relu() });
    const [n, context, width] = x.shape;
    const last = x.reshape([n, context * width]).slice([0, (context - 1) * width], [n, width]);
    return matmul(last, P["head.weight"]);
  },
  transformer: (P, tokens) => {
    const gelu = (x) => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));
    const x = transformer(P, tokens, { blocks: 4, heads: 4, norm: layerNorm, activation: gelu });
    return matmul(layerNorm(P, "norm", x.reshape([-1, x.shape[2]])), P["head.weight"]);
  },
  "modular-mlp": (P, counts) =>
    matmul(matmul(matmul(matmul(counts, P["embed.weight"].transpose()), P.w_i).relu(), P.w_o), P.w_u),
};

const ONE_HOT = [["UnsortedSegmentSum"], "embedding as the product of a one-hot matrix, made once"];
/** What the plain spelling of a case needs and this backend lacks, and what is done instead. */
const needs = {
  lenet: [
    ["Conv2DBackpropFilter"],
    "weight gradient as a Conv2D with swapped roles; MaxPoolGrad is wrong: gradient by comparison with the maximum",
  ],
  vgg: [
    ["Conv2DBackpropFilter"],
    "weight gradient as a Conv2D with swapped roles; MaxPoolGrad is wrong: gradient by comparison with the maximum",
  ],
  resnet20: [["Conv2DBackpropFilter"], "weight gradient as a Conv2D with swapped roles"],
  "modular-transformer": ONE_HOT,
  transformer: ONE_HOT,
  "modular-mlp": [["UnsortedSegmentSum"], "embedding as the product of a two-hot matrix, made once"],
};

await serve({ version: version("@tensorflow/tfjs"), threads: 1 }, (name, weights, { input, labels }) => {
  const forward = nets[name];
  const P = {};
  for (const [key, { shape, data }] of Object.entries(weights)) {
    const t = tf.tensor(data, shape);
    P[key] = tf.variable(shape.length === 4 ? t.transpose([2, 3, 1, 0]) : t, true, key);
  }
  const modular = name.startsWith("modular");
  const ids = modular || name === "transformer";
  const classes = modular ? 67 : ids ? 65 : 10;
  const oneHot = ({ shape, data }) => tf.oneHot(tf.tensor(data, shape, "int32"), classes).toFloat();
  const x = ids
    ? name === "modular-mlp"
      ? oneHot(input).sum(1)
      : oneHot(input)
    : tf.tensor(input.data, input.shape);
  const expected = oneHot(labels);
  const { kind, learningRate, momentum, betas, weightDecay } = options;
  const optimizer =
    kind === "sgd" ? tf.train.momentum(learningRate, momentum) : tf.train.adam(learningRate, ...betas, 1e-8);
  const step = () => {
    const loss = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => tf.losses.softmaxCrossEntropy(expected, forward(P, x)));
      for (const key in P) {
        if (kind === "sgd") grads[key] = grads[key].add(P[key].mul(weightDecay));
        else P[key].assign(P[key].mul(1 - learningRate * weightDecay));
      }
      optimizer.applyGradients(grads);
      return value;
    });
    const [value] = loss.dataSync();
    loss.dispose();
    return value;
  };
  const [wanted = [], instead] = needs[name] ?? [];
  const absent = missing(wanted);
  return { step, notes: absent.length > 0 ? [`no kernel for ${absent.join(", ")}: ${instead}`] : [] };
});
