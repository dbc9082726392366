import type { Graph } from "../../engine/graph.ts";
import { sameShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import { unfilled } from "../initializers.ts";
import type { DecoderOptions } from "./decoder.ts";
import { decoder } from "./decoder.ts";

/** What a model's config.json holds. */
export type PublishedConfig = Readonly<Record<string, unknown>>;

export interface PublishedDecoderOptions {
  /** Tokens in a sequence; the mask has the square of it. At most what the model was made for. */
  context: number;
  batch?: number;
}

/**
 * A published OPT or LLaMA model as a `decoder`: from the tensors of its safetensors files, all shards in one Map, by the
 * names that Hugging Face's Transformers give them, and its config.json. Arrays of float32 are those of the tensors, not
 * copies. Keys and values may have fewer heads than queries. Throws a `Problem` for other models, for settings that
 * `decoder` has not, and where a tensor is missing, left over or of another shape.
 */
export function decoderFromSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  config: PublishedConfig,
  { context, batch }: PublishedDecoderOptions,
): Graph {
  const options = { ...decoderOptionsOf(config), context, batch };
  const longest = numberOf(config, "max_position_embeddings", 2048);
  if (context > longest)
    throw new Problem(
      `the model was made for ${longest} tokens, not for a context of ${context}; take ${longest} or less`,
    );
  const graph = decoder({ ...options, initializer: unfilled, tableInitializer: unfilled });
  const left = new Set(tensors.keys());
  for (const [name, { shape }] of graph.parameters) {
    const published = publishedName(name, options.layout, tensors);
    const found = tensors.get(published);
    if (found?.dtype !== "float32" || !sameShape(found.shape, shape))
      throw new Problem(
        `"${published}" is ${found ? `${found.dtype}[${found.shape}]` : "missing"}; expected float32[${shape}] by the config; put the tensors of all shards into one Map`,
      );
    graph.parameters.set(name, found as Tensor<"float32">);
    left.delete(published);
  }
  // Files may repeat the token table as the output layer, and what rotary positions are computed from.
  const [other] = [...left].filter(
    (name) => !(name === "lm_head.weight" || name.endsWith(".rotary_emb.inv_freq")),
  );
  if (other !== undefined)
    throw new Problem(
      `there is no place for "${other}" in a model of type ${options.layout} with this config`,
    );
  return graph;
}

/** The options of `decoder` that a config.json gives. */
export function decoderOptionsOf(config: PublishedConfig): Omit<DecoderOptions, "context"> {
  const layout = config.model_type;
  if (layout !== "opt" && layout !== "llama")
    throw new Problem(`config: model_type is ${JSON.stringify(layout)}; opt and llama are read`);
  const sizes = {
    layout,
    vocabulary: numberOf(config, "vocab_size"),
    width: numberOf(config, "hidden_size"),
    blocks: numberOf(config, "num_hidden_layers"),
    heads: numberOf(config, "num_attention_heads"),
  } as const;
  return { ...sizes, ...(layout === "opt" ? optOptions(config, sizes.width) : llamaOptions(config, sizes)) };
}

function optOptions(config: PublishedConfig, width: number) {
  expectSettings(config, {
    activation_function: "relu",
    enable_bias: true,
    layer_norm_elementwise_affine: true,
  });
  expectSettings(config, { _remove_final_layer_norm: false });
  return {
    mlpWidth: numberOf(config, "ffn_dim"),
    positions: numberOf(config, "max_position_embeddings") + POSITION_OFFSET,
    positionOffset: POSITION_OFFSET,
    embeddingWidth: numberOf(config, "word_embed_proj_dim", width),
    normAfter: config.do_layer_norm_before === false,
    tied: config.tie_word_embeddings !== false,
  };
}

/** OPT's table of positions has two rows that no token reads. */
const POSITION_OFFSET = 2;

function llamaOptions(config: PublishedConfig, { width, heads }: { width: number; heads: number }) {
  expectSettings(config, {
    hidden_act: "silu",
    attention_bias: false,
    mlp_bias: false,
    head_dim: width / heads,
  });
  const rotary = (config.rope_parameters ?? config.rope_scaling ?? {}) as PublishedConfig;
  expectSettings(rotary, { type: "default", rope_type: "default" });
  return {
    mlpWidth: numberOf(config, "intermediate_size"),
    keyValueHeads: numberOf(config, "num_key_value_heads", heads),
    rotaryBase: numberOf({ ...rotary, ...config }, "rope_theta", 10_000),
    normEpsilon: numberOf(config, "rms_norm_eps", 1e-6),
    tied: config.tie_word_embeddings === true,
  };
}

/** Settings that may be left out or null, but not be others. */
function expectSettings(config: PublishedConfig, settings: PublishedConfig): void {
  for (const [name, value] of Object.entries(settings))
    if ((config[name] ?? value) !== value)
      throw new Problem(
        `config: ${name} is ${JSON.stringify(config[name])}; only models with ${JSON.stringify(value)} are read`,
      );
}

function numberOf(config: PublishedConfig, name: string, fallback?: number): number {
  const value = config[name] ?? fallback;
  if (typeof value !== "number")
    throw new Problem(`config: ${name} is ${JSON.stringify(value)}; expected a number`);
  return value;
}

const PARTS: Record<DecoderOptions["layout"], { root: string; names: Record<string, string> }> = {
  opt: {
    root: "model.decoder.",
    names: {
      tokens: "embed_tokens",
      positions: "embed_positions",
      project_in: "project_in",
      project_out: "project_out",
      norm: "final_layer_norm",
      norm1: "self_attn_layer_norm",
      "attention.q": "self_attn.q_proj",
      "attention.k": "self_attn.k_proj",
      "attention.v": "self_attn.v_proj",
      "attention.out": "self_attn.out_proj",
      norm2: "final_layer_norm",
      "mlp.up": "fc1",
      "mlp.down": "fc2",
    },
  },
  llama: {
    root: "model.",
    names: {
      tokens: "embed_tokens",
      norm: "norm",
      norm1: "input_layernorm",
      "attention.q": "self_attn.q_proj",
      "attention.k": "self_attn.k_proj",
      "attention.v": "self_attn.v_proj",
      "attention.out": "self_attn.o_proj",
      norm2: "post_attention_layernorm",
      "mlp.gate": "mlp.gate_proj",
      "mlp.up": "mlp.up_proj",
      "mlp.down": "mlp.down_proj",
    },
  },
};

/** What files call a parameter of `decoder`. Those saved without the output layer leave the first part of the root out. */
function publishedName(
  name: string,
  layout: DecoderOptions["layout"],
  tensors: ReadonlyMap<string, Tensor>,
): string {
  if (name === "head.weight") return "lm_head.weight";
  const { root, names } = PARTS[layout];
  const [, block = "", part, kind] = /^(layers\.\d+\.)?(.+)\.(weight|bias)$/.exec(name)!;
  const published = `${block}${names[part]}.${kind}`;
  const bare = root.replace("model.", "");
  return (tensors.has(`${bare}embed_tokens.weight`) ? bare : root) + published;
}
