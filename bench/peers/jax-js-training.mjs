/** The training steps in jax-js on its WebAssembly backend: the whole step, optimiser included, is one `jit`. */
import { loadModule, options, serve, version } from "./serve.mjs";

const jax = await loadModule("@jax-js/jax");
await jax.init("wasm");
jax.defaultDevice("wasm");
const { numpy: np, nn, lax } = jax;

// Every use of an array but the last needs `.ref`: functions own their arguments.
const linear = (P, name, x) => np.matmul(x, P[`${name}.weight`].ref.transpose()).add(P[`${name}.bias`].ref);
const through = (x, w) => np.matmul(x, w.ref.transpose());

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
  // One head over two tokens, of which the second may look at both.
  "modular-transformer": (P, tokens) => {
    const [n, context] = tokens.shape;
    const width = P.positions.shape[1];
    const rows = (x) => x.reshape([n * context, -1]);
    let x = rows(np.matmul(tokens, P["tokens.weight"].ref).add(P.positions.ref));
    const qkv = linear(P, "block1.attention.qkv", x.ref).reshape([n, context, 3, width]);
    const part = (i) => qkv.ref.slice([], [], i, []);
    const mask = np.array([0, -1e9, 0, 0]).reshape([2, 2]);
    const scores = np
      .matmul(part(0), part(1).transpose([0, 2, 1]))
      .mul(width ** -0.5)
      .add(mask);
    const mixed = rows(np.matmul(nn.softmax(scores), part(2)));
    qkv.dispose();
    x = x.add(linear(P, "block1.attention.out", mixed));
    x = x.ref.add(linear(P, "block1.mlp.2", nn.relu(linear(P, "block1.mlp.1", x))));
    return through(x.reshape([n, context, width]).slice([], context - 1, []), P["head.weight"]);
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
  const classes = modular ? 67 : 10;
  const tokens = () => nn.oneHot(array(feeds.input), classes);
  const x = modular ? (name === "modular-mlp" ? tokens().sum(1) : tokens()) : array(feeds.input);
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
  const notes = modular
    ? ["jit refuses the gradient of take: embedding as the product of a two-hot matrix, made once"]
    : [];
  return { step, notes };
});
