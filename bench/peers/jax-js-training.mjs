/** The training steps in jax-js on its WebAssembly backend: the whole step, optimiser included, is one `jit`. */
import { loadModule, options, serve, version } from "./serve.mjs";

const jax = await loadModule("@jax-js/jax");
await jax.init("wasm");
jax.defaultDevice("wasm");
const { numpy: np, nn, lax } = jax;

// Every use of an array but the last needs `.ref`: functions own their arguments.
const linear = (P, name, x) => np.matmul(x, P[`${name}.weight`].ref.transpose()).add(P[`${name}.bias`].ref);
const through = (x, w) => np.matmul(x, w.ref.transpose());

const layerNorm = (P, name, x) => {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const scale = np.sqrt(np.mean(np.square(centred.ref), -1, { keepdims: true }).add(1e-5));
  return centred.div(scale).mul(P[`${name}.weight`].ref).add(P[`${name}.bias`].ref);
};

/** Tokens as one-hot rows [n, context, vocabulary] to [n, context, width]; tokens see those before them. */
function transformer(P, tokens, { blocks, heads, activation, norm = (_, __, x) => x }) {
  const [n, context] = tokens.shape;
  const width = P.positions.shape[1];
  const size = width / heads;
  const rows = (x) => x.reshape([n * context, -1]);
  const later = Array.from({ length: context ** 2 }, (_, i) =>
    i % context > Math.floor(i / context) ? -1e9 : 0,
  );
  let x = rows(np.matmul(tokens, P["tokens.weight"].ref).add(P.positions.ref));
  for (let i = 1; i <= blocks; i++) {
    const block = `block${i}`;
    const qkv = linear(P, `${block}.attention.qkv`, norm(P, `${block}.norm1`, x.ref));
    const split = qkv.reshape([n, context, 3, heads, size]).transpose([2, 0, 3, 1, 4]);
    const part = (j) => split.ref.slice(j);
    const scores = np
      .matmul(part(0), part(1).transpose([0, 1, 3, 2]))
      .mul(size ** -0.5)
      .add(np.array(later).reshape([context, context]));
    const mixed = rows(np.matmul(nn.softmax(scores), part(2)).transpose([0, 2, 1, 3]));
    split.dispose();
    x = x.add(linear(P, `${block}.attention.out`, mixed));
    const hidden = activation(linear(P, `${block}.mlp.1`, norm(P, `${block}.norm2`, x.ref)));
    x = x.add(linear(P, `${block}.mlp.2`, hidden));
  }
  return x.reshape([n, context, width]);
}

const nets = {
  "lenet-300-100": (P, x) => {
    const h = nn.relu(linear(P, "fc1", x.reshape([x.shape[0], -1])));
    return linear(P, "fc3", nn.relu(linear(P, "fc2", h)));
  },
  lenet: (P, x) => {
    const batch = x.shape[0];
    const layer = (name, x) =>
      lax.reduceWindow(
        lax
          .convGeneralDilated(x, P[`${name}.weight`].ref, [1, 1], "VALID")
          .add(P[`${name}.bias`].ref.reshape([1, -1, 1, 1])),
        np.max,
        [2, 2],
        [2, 2],
      );
    const h = layer("conv2", layer("conv1", x)).reshape([batch, -1]);
    return linear(P, "fc2", nn.relu(linear(P, "fc1", h)));
  },
  "modular-transformer": (P, tokens) => {
    const x = transformer(P, tokens, { blocks: 1, heads: 1, activation: nn.relu });
    return through(x.slice([], x.shape[1] - 1, []), P["head.weight"]);
  },
  transformer: (P, tokens) => {
    const gelu = (x) => x.ref.mul(0.5).mul(lax.erf(x.mul(Math.SQRT1_2)).add(1));
    const x = transformer(P, tokens, { blocks: 4, heads: 4, norm: layerNorm, activation: gelu });
    return through(layerNorm(P, "norm", x.reshape([-1, x.shape[2]])), P["head.weight"]);
  },
  "modular-mlp": (P, counts) => {
    const sum = np.matmul(counts, P["embed.weight"].ref);
    return through(through(nn.relu(through(sum, P.w_i)), P.w_o), P.w_u);
  },
};

const { kind, learningRate, momentum, betas, weightDecay } = options;

/** The new value of one parameter and of its optimiser's arrays. */
function update(p, g, state, correction) {
  if (kind === "sgd") {
    const v = state[0].mul(momentum).add(g).add(p.ref.mul(weightDecay));
    return [p.sub(v.ref.mul(learningRate)), [v]];
  }
  const [first, second] = betas;
  const m = state[0].mul(first).add(g.ref.mul(1 - first));
  const v = state[1].mul(second).add(np.square(g).mul(1 - second));
  const scale = np.sqrt(v.ref.mul(correction[1].ref)).add(1e-8);
  const move = m.ref.mul(correction[0].ref).div(scale).mul(learningRate);
  return [p.mul(1 - learningRate * weightDecay).sub(move), [m, v]];
}

const array = ({ shape, data }) => np.array(data).reshape(shape);

await serve({ version: version("@jax-js/jax"), threads: 1 }, (name, weights, feeds) => {
  let P = Object.fromEntries(Object.entries(weights).map(([key, t]) => [key, array(t)]));
  const arrays = kind === "sgd" ? 1 : 2;
  let state = Object.fromEntries(
    Object.entries(weights).map(([key, { shape }]) => [
      key,
      Array.from({ length: arrays }, () => np.zeros(shape)),
    ]),
  );
  const modular = name.startsWith("modular");
  const ids = modular || name === "transformer";
  const classes = modular ? 67 : ids ? 65 : 10;
  const tokens = () => nn.oneHot(array(feeds.input), classes);
  const x = ids ? (name === "modular-mlp" ? tokens().sum(1) : tokens()) : array(feeds.input);
  const expected = nn.oneHot(array(feeds.labels), classes);
  const loss = (P, x, expected) => {
    const all = nn.logSoftmax(nets[name](P, x)).mul(expected);
    jax.tree.dispose(P);
    return all.sum().div(-feeds.labels.shape[0]);
  };
  const compiled = jax.jit((P, state, x, expected, correction) => {
    const [value, grads] = jax.valueAndGrad(loss)(jax.tree.ref(P), x, expected);
    const next = { P: {}, state: {} };
    for (const key in P) [next.P[key], next.state[key]] = update(P[key], grads[key], state[key], correction);
    jax.tree.dispose(correction);
    return [value, next];
  });
  let steps = 0;
  const step = async () => {
    steps++;
    const correction = kind === "sgd" ? [] : betas.map((b) => np.array(1 / (1 - b ** steps)));
    const [value, next] = compiled(P, state, x.ref, expected.ref, correction);
    ({ P, state } = next);
    const [loss] = await value.data();
    return loss;
  };
  const notes = ids
    ? ["jit refuses the gradient of take: embedding as the product of a matrix of ones and zeros, made once"]
    : [];
  return { step, notes };
});
