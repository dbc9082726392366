import type { Graph } from "../../engine/graph.ts";
import { sameShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import { unfilled } from "../initializers.ts";
import type { DecoderOptions } from "./decoder.ts";
import { decoder } from "./decoder.ts";
import type { PublishedConfig } from "./published-config.ts";
import { expectSettings, numberOf } from "./published-config.ts";
import { publishedName } from "./published-names.ts";

export interface PublishedDecoderOptions {
  /** Tokens in a sequence; the mask has the square of it. At most what the model was made for. */
  context: number;
  batch?: number;
}

/**
 * A published OPT or LLaMA model as a `decoder`: from the tensors of its safetensors files, all shards in one Map, by the
 * names that Hugging Face's Transformers give them, with or without the first `model.`, and its config.json. The arrays are
 * those of the tensors, not copies. Keys and values may have fewer heads than queries. Throws a `Problem` for other models,
 * for settings that `decoder` has not, and where a tensor is missing, left over or of another shape.
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
  const bare = (name: string) => name.replace(/^model\./, "");
  const isBare = left.has(bare(publishedName("tokens.weight", options.layout)!));
  for (const [name, { shape }] of graph.parameters) {
    const full = publishedName(name, options.layout)!;
    const published = isBare ? bare(full) : full;
    const found = tensors.get(published);
    if (!found)
      throw new Problem(
        `the tensors lack "${published}", float32[${shape}] by the config; put those of all shards into one Map`,
      );
    if (found.dtype !== "float32" || !sameShape(found.shape, shape))
      throw new Problem(
        `"${published}" is ${found.dtype}[${found.shape}]; expected float32[${shape}] by the config`,
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
