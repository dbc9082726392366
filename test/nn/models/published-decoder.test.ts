import { expect, test } from "vitest";
import { readSafetensors } from "../../../src/data/safetensors.ts";
import { createSession } from "../../../src/engine/session.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { sizeOf, tensor, zeros } from "../../../src/engine/tensor.ts";
import { createGenerator } from "../../../src/nn/generate.ts";
import { DECODER_SIZES } from "../../../src/nn/models/decoder.ts";
import { decoderFromSafetensors, decoderOptionsOf } from "../../../src/nn/models/published-decoder.ts";
import { random } from "../../../src/random.ts";

type Config = Record<string, unknown> & { hidden_size: number; num_attention_heads: number };
type Weights = Map<string, { shape: number[]; data: Float32Array }>;

const sizes = { vocab_size: 17, hidden_size: 12, num_hidden_layers: 2, max_position_embeddings: 9 };
const opt = { model_type: "opt", ...sizes, num_attention_heads: 3, ffn_dim: 10, activation_function: "relu" };
const llama = {
  model_type: "llama",
  ...sizes,
  num_attention_heads: 2,
  intermediate_size: 7,
  hidden_act: "silu",
};

/** Weights of the published architectures, by their published names, in shapes that the papers give. */
function randomWeights(config: Config): Weights {
  const c = config as Record<string, number>;
  const rng = random(11);
  const weights: Weights = new Map();
  const add = (name: string, ...shape: number[]) =>
    weights.set(name, {
      shape,
      data: Float32Array.from({ length: sizeOf(shape) }, () => rng.normal() * 0.4),
    });
  const linear = (name: string, outputs: number, inputs: number, bias: boolean) => {
    add(`${name}.weight`, outputs, inputs);
    if (bias) add(`${name}.bias`, outputs);
  };
  const [d, v] = [c.hidden_size, c.vocab_size];
  if (config.model_type === "opt") {
    const root = "model.decoder";
    const e = c.word_embed_proj_dim ?? d;
    add(`${root}.embed_tokens.weight`, v, e);
    add(`${root}.embed_positions.weight`, c.max_position_embeddings + 2, d);
    if (e !== d) {
      linear(`${root}.project_in`, d, e, false);
      linear(`${root}.project_out`, e, d, false);
    }
    for (let i = 0; i < c.num_hidden_layers; i++) {
      const layer = `${root}.layers.${i}`;
      for (const p of ["q_proj", "k_proj", "v_proj", "out_proj"])
        linear(`${layer}.self_attn.${p}`, d, d, true);
      for (const n of ["self_attn_layer_norm", "final_layer_norm"])
        for (const kind of ["weight", "bias"]) add(`${layer}.${n}.${kind}`, d);
      linear(`${layer}.fc1`, c.ffn_dim, d, true);
      linear(`${layer}.fc2`, d, c.ffn_dim, true);
    }
    if (config.do_layer_norm_before !== false)
      for (const kind of ["weight", "bias"]) add(`${root}.final_layer_norm.${kind}`, d);
    if (config.tie_word_embeddings === false) add("lm_head.weight", v, e);
  } else {
    const size = d / c.num_attention_heads;
    const few = (c.num_key_value_heads ?? c.num_attention_heads) * size;
    add("model.embed_tokens.weight", v, d);
    for (let i = 0; i < c.num_hidden_layers; i++) {
      const layer = `model.layers.${i}`;
      add(`${layer}.self_attn.q_proj.weight`, d, d);
      for (const p of ["k_proj", "v_proj"]) add(`${layer}.self_attn.${p}.weight`, few, d);
      add(`${layer}.self_attn.o_proj.weight`, d, d);
      for (const p of ["gate_proj", "up_proj"]) add(`${layer}.mlp.${p}.weight`, c.intermediate_size, d);
      add(`${layer}.mlp.down_proj.weight`, d, c.intermediate_size);
      for (const n of ["input_layernorm", "post_attention_layernorm"]) add(`${layer}.${n}.weight`, d);
    }
    add("model.norm.weight", d);
    if (config.tie_word_embeddings !== true) add("lm_head.weight", v, d);
  }
  return weights;
}

type Vector = number[];
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
const plus = (a: Vector, b: ArrayLike<number>) => a.map((x, i) => x + b[i]);

/** The forward passes as they are published, in plain loops; one way to turn pairs or read positions may be chosen wrongly. */
function reference(
  config: Config,
  weights: Weights,
  tokens: readonly number[],
  { interleaved = false, offset = 2 } = {},
): Vector[] {
  const isOpt = config.model_type === "opt";
  const heads = config.num_attention_heads;
  const size = config.hidden_size / heads;
  const shared = isOpt ? 1 : heads / ((config.num_key_value_heads as number) ?? heads);
  const row = (name: string, i: number) => {
    const { shape, data } = weights.get(name)!;
    return Array.from(data.subarray(i * shape[1], (i + 1) * shape[1]));
  };
  const linear = (name: string, x: Vector): Vector => {
    const y = Array.from({ length: weights.get(`${name}.weight`)!.shape[0] }, (_, i) =>
      dot(row(`${name}.weight`, i), x),
    );
    const bias = weights.get(`${name}.bias`);
    return bias ? plus(y, bias.data) : y;
  };
  const norm = (name: string, x: Vector): Vector => {
    const w = weights.get(`${name}.weight`)!.data;
    const mean = isOpt ? x.reduce((a, b) => a + b) / x.length : 0;
    const centred = x.map((v) => v - mean);
    const epsilon = isOpt ? 1e-5 : ((config.rms_norm_eps as number) ?? 1e-6);
    const deviation = Math.sqrt(dot(centred, centred) / x.length + epsilon);
    const y = centred.map((v, i) => (v / deviation) * w[i]);
    return isOpt ? plus(y, weights.get(`${name}.bias`)!.data) : y;
  };
  const turned = (x: Vector, position: number): Vector => {
    const half = size / 2;
    const y = [...x];
    for (let h = 0; h < x.length; h += size)
      for (let i = 0; i < half; i++) {
        const angle = position / ((config.rope_theta as number) ?? 10_000) ** ((2 * i) / size);
        const [a, b] = interleaved ? [h + 2 * i, h + 2 * i + 1] : [h + i, h + i + half];
        y[a] = x[a] * Math.cos(angle) - x[b] * Math.sin(angle);
        y[b] = x[b] * Math.cos(angle) + x[a] * Math.sin(angle);
      }
    return y;
  };
  const attention = (name: string, xs: Vector[]): Vector[] => {
    const place = (v: Vector, p: number) => (isOpt ? v : turned(v, p));
    const qs = xs.map((x, p) => place(linear(`${name}.q_proj`, x), p));
    const ks = xs.map((x, p) => place(linear(`${name}.k_proj`, x), p));
    const vs = xs.map((x) => linear(`${name}.v_proj`, x));
    return qs.map((q, t) => {
      const out: Vector = [];
      for (let h = 0; h < heads; h++) {
        const own = q.slice(h * size, (h + 1) * size);
        const from = Math.floor(h / shared) * size;
        const exps = ks
          .slice(0, t + 1)
          .map((k) => Math.exp(dot(own, k.slice(from, from + size)) / Math.sqrt(size)));
        const total = exps.reduce((a, b) => a + b);
        for (let i = 0; i < size; i++)
          out.push(exps.reduce((sum, e, s) => sum + (e / total) * vs[s][from + i], 0));
      }
      return linear(isOpt ? `${name}.out_proj` : `${name}.o_proj`, out);
    });
  };

  const root = isOpt ? "model.decoder" : "model";
  const narrow = weights.has(`${root}.project_in.weight`);
  let xs = tokens.map((token, p) => {
    const x = row(`${root}.embed_tokens.weight`, token);
    if (!isOpt) return x;
    return plus(
      narrow ? linear(`${root}.project_in`, x) : x,
      row(`${root}.embed_positions.weight`, p + offset),
    );
  });
  const after = config.do_layer_norm_before === false;
  const sublayer = (name: string, compute: (xs: Vector[]) => Vector[]) => {
    const ys = compute(after ? xs : xs.map((x) => norm(name, x)));
    xs = xs.map((x, t) => (after ? norm(name, plus(x, ys[t])) : plus(x, ys[t])));
  };
  for (let i = 0; i < (config.num_hidden_layers as number); i++) {
    const layer = `${root}.layers.${i}`;
    sublayer(`${layer}.${isOpt ? "self_attn_layer_norm" : "input_layernorm"}`, (v) =>
      attention(`${layer}.self_attn`, v),
    );
    sublayer(`${layer}.${isOpt ? "final_layer_norm" : "post_attention_layernorm"}`, (v) =>
      v.map((x) => {
        if (isOpt)
          return linear(
            `${layer}.fc2`,
            linear(`${layer}.fc1`, x).map((u) => Math.max(0, u)),
          );
        const up = linear(`${layer}.mlp.up_proj`, x);
        const gated = linear(`${layer}.mlp.gate_proj`, x).map((g, j) => (g / (1 + Math.exp(-g))) * up[j]);
        return linear(`${layer}.mlp.down_proj`, gated);
      }),
    );
  }
  if (!after) xs = xs.map((x) => norm(isOpt ? `${root}.final_layer_norm` : "model.norm", x));
  if (narrow) xs = xs.map((x) => linear(`${root}.project_out`, x));
  const tied = config.tie_word_embeddings ?? isOpt;
  return xs.map((x) => linear(tied ? `${root}.embed_tokens` : "lm_head", x));
}

/** A safetensors file by the format's description, in float32 or bfloat16. */
function file(weights: Weights, type: "F32" | "BF16"): Uint8Array {
  const width = type === "F32" ? 4 : 2;
  const header: Record<string, unknown> = {};
  const body: number[] = [];
  for (const [name, { shape, data }] of weights) {
    const begin = body.length;
    const bytes = new Uint8Array(data.slice().buffer);
    for (let i = 0; i < data.length; i++) body.push(...bytes.subarray(i * 4 + 4 - width, i * 4 + 4));
    header[name] = { dtype: type, shape, data_offsets: [begin, body.length] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + body.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(body, 8 + text.length);
  return out;
}

const asTensors = (weights: Weights) =>
  new Map(
    [...weights].map(([name, { shape, data }]): [string, Tensor] => [name, tensor("float32", shape, data)]),
  );

const text = [3, 16, 0, 7, 7, 12, 1];

/** The largest difference of the loaded model's logits from those expected. */
async function distance(
  tensors: ReadonlyMap<string, Tensor>,
  config: Config,
  expected: readonly Vector[],
): Promise<number> {
  const model = decoderFromSafetensors(tensors, config, { context: text.length });
  const session = await createSession(model, { threads: 1 });
  const { [model.outputs[0]]: logits } = await session.run({
    input: tensor("int32", [1, text.length], text),
  });
  await session.release();
  return Math.max(...expected.flat().map((v, i) => Math.abs(v - (logits.data as Float32Array)[i])));
}

test.each<[string, Config]>([
  ["opt", opt],
  ["opt, norms after, narrow table", { ...opt, do_layer_norm_before: false, word_embed_proj_dim: 8 }],
  ["opt, output layer apart", { ...opt, tie_word_embeddings: false }],
  ["llama", llama],
  ["llama, other constants", { ...llama, rope_theta: 50, rms_norm_eps: 0.1, rope_scaling: null }],
  [
    "llama, shared keys and values, tied",
    { ...llama, num_attention_heads: 6, num_key_value_heads: 2, tie_word_embeddings: true },
  ],
  [
    "llama, constants where newer files have them",
    { ...llama, rope_parameters: { rope_theta: 50, rope_type: "default" } },
  ],
])("%s: logits are those of the published forward pass", async (_, config) => {
  const weights = randomWeights(config);
  const told = { ...config, ...(config.rope_parameters as object) } as Config;
  expect(await distance(asTensors(weights), config, reference(told, weights, text))).toBeLessThan(5e-5);
});

test("where positions begin and how pairs lie makes a difference (control)", async () => {
  for (const [config, wrong] of [
    [opt, { offset: 0 }],
    [llama, { interleaved: true }],
    [{ ...llama, rope_theta: 50 }, undefined],
  ] as const) {
    const weights = randomWeights(config);
    const other = wrong ? reference(config, weights, text, wrong) : reference(llama, weights, text);
    expect(await distance(asTensors(weights), config, other)).toBeGreaterThan(1e-2);
  }
});

test("several shards of bfloat16, and the text that is made", async () => {
  const config = { ...llama, num_attention_heads: 6, num_key_value_heads: 3 };
  const weights = randomWeights(config);
  for (const { data } of weights.values()) {
    const bits = new Uint32Array(data.buffer);
    bits.forEach((b, i) => (bits[i] = b & 0xffff0000));
  }
  const entries = [...weights];
  const shards = [entries.slice(0, 9), entries.slice(9)].map((part) =>
    readSafetensors(file(new Map(part), "BF16")),
  );
  const tensors = new Map(shards.flatMap((shard) => [...shard.tensors]));
  expect(await distance(tensors, config, reference(config, weights, text))).toBeLessThan(5e-5);

  const generator = await createGenerator(decoderFromSafetensors(tensors, config, { context: 9 }));
  const made = [3, 1];
  for await (const token of generator.generate(made, { tokens: 7 })) made.push(token);
  await generator.release();
  const likeliest = reference(config, weights, made).map((row) => row.indexOf(Math.max(...row)));
  expect(made.slice(2)).toEqual(likeliest.slice(1, -1));
  expect(() => decoderFromSafetensors(shards[0].tensors, config, { context: 9 })).toThrow(
    /^the tensors lack "model\.\S+", float32\[.*\] by the config; put those of all shards into one Map$/,
  );
});

test("files of float32, without an output layer, with what can be computed", async () => {
  const weights = randomWeights(opt);
  const bare = new Map([...weights].map(([name, w]) => [name.replace("model.", ""), w]));
  const expected = reference(opt, weights, text);
  expect(await distance(readSafetensors(file(bare, "F32")).tensors, opt, expected)).toBeLessThan(5e-5);
  const repeated = asTensors(weights).set("lm_head.weight", zeros([17, 12]));
  expect(await distance(repeated, opt, expected)).toBeLessThan(5e-5);
  const tables = asTensors(randomWeights(llama)).set(
    "model.layers.0.self_attn.rotary_emb.inv_freq",
    zeros([3]),
  );
  expect(await distance(tables, llama, reference(llama, randomWeights(llama), text))).toBeLessThan(5e-5);
});

test("the config of OPT-350M gives its published sizes", () => {
  const config = {
    model_type: "opt",
    vocab_size: 50272,
    hidden_size: 1024,
    num_hidden_layers: 24,
    num_attention_heads: 16,
  };
  const more = {
    ffn_dim: 4096,
    max_position_embeddings: 2048,
    word_embed_proj_dim: 512,
    do_layer_norm_before: false,
  };
  expect(decoderOptionsOf({ ...config, ...more })).toEqual({ ...DECODER_SIZES["opt-350m"], tied: true });
});

test.each<[string, object, RegExp]>([
  ["another architecture", { model_type: "gpt2" }, /model_type is "gpt2"; opt and llama are read/],
  ["another activation", { hidden_act: "gelu" }, /hidden_act is "gelu"; only "silu" is read/],
  ["biases", { attention_bias: true }, /attention_bias is true; only false/],
  [
    "stretched positions",
    { rope_scaling: { type: "linear", factor: 2 } },
    /type is "linear"; only "default"/,
  ],
  ["heads of another size", { head_dim: 4 }, /head_dim is 4; only 6/],
  ["no width", { hidden_size: undefined }, /hidden_size is undefined; expected a number/],
  ["too short a text", { max_position_embeddings: 4 }, /made for 4 tokens, not for a context of 7/],
  ["more blocks", { num_hidden_layers: 3 }, /lack "model.layers.2.input_layernorm.weight"/],
  [
    "fewer blocks",
    { num_hidden_layers: 1 },
    /no place for "model.layers.1.self_attn.q_proj.weight" in a model of type llama/,
  ],
  ["another width", { intermediate_size: 8 }, /up_proj.weight" is float32\[7,12\]; expected float32\[8,12\]/],
  ["shares that do not come out", { num_key_value_heads: 3 }, /3 heads of keys and values cannot serve 2/],
  ["a base of rotary positions below", { rope_theta: 0 }, /rotaryBase is 0; take a number above 0/],
])("%s: refused", (_, other, words) => {
  const tensors = asTensors(randomWeights(llama));
  expect(() => decoderFromSafetensors(tensors, { ...llama, ...other }, { context: 7 })).toThrow(words);
});
