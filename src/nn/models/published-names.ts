import type { DecoderOptions } from "./decoder.ts";

type Layout = DecoderOptions["layout"];

/** What Hugging Face's Transformers call the parts of a `decoder`. */
const LAYOUTS: Record<Layout, { root: string; names: Record<string, string> }> = {
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

/** What files call a parameter of `decoder`, e.g. `model.layers.0.mlp.up_proj.weight`; undefined where it has no such one. */
export function publishedName(name: string, layout: Layout): string | undefined {
  if (name === "head.weight") return "lm_head.weight";
  const { root, names } = LAYOUTS[layout];
  const [, block = "", part = "", kind] = /^(layers\.\d+\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
  return names[part] && `${root}${block}${names[part]}.${kind}`;
}
