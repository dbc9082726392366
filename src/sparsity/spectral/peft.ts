import type { Safetensors } from "../../data/safetensors.ts";
import type { Graph } from "../../engine/graph.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { tensor } from "../../engine/tensor.ts";
import type { DecoderOptions } from "../../nn/models/decoder.ts";
import type { PublishedConfig } from "../../nn/models/published-config.ts";
import { expectSettings, numberOf } from "../../nn/models/published-config.ts";
import { publishedName } from "../../nn/models/published-names.ts";
import { Problem } from "../../problem.ts";
import { adapterMetadata, downName, upName } from "./adapter.ts";
import { linearMaps } from "./linear-maps.ts";
import { transposed } from "./weights.ts";

type Layout = DecoderOptions["layout"];

/**
 * A LoRA adapter of a published model, from the tensors of its adapter_model.safetensors and its adapter_config.json as PEFT
 * writes them, for `applyAdapter`. `model` is the `decoder` that it belongs to, in that layout. Throws a `Problem` for
 * adapters of other kinds and for tensors that do not belong to a linear map of the model.
 */
export function adapterFromPeft(
  model: Graph,
  layout: Layout,
  tensors: ReadonlyMap<string, Tensor>,
  config: PublishedConfig,
): Safetensors {
  expectSettings(config, { peft_type: "LORA", use_dora: false, bias: "none", fan_in_fan_out: false });
  for (const name of ["rank_pattern", "alpha_pattern", "modules_to_save"])
    if (Object.keys(config[name] ?? {}).length > 0)
      throw new Problem(
        `config: ${name} is ${JSON.stringify(config[name])}; only adapters without it are read`,
      );
  const rank = numberOf(config, "r");
  const scale = numberOf(config, "lora_alpha") / (config.use_rslora === true ? Math.sqrt(rank) : rank);
  const factors = new Map<string, Tensor>();
  const left = new Set(tensors.keys());
  for (const { weight } of linearMaps(model)) {
    const [a, b] = peftNames(weight, layout) ?? [];
    const [down, up] = [tensors.get(a ?? ""), tensors.get(b ?? "")];
    if (!down || !up) continue;
    if (up.shape.length !== 2)
      throw new Problem(`the adapter's "${b}" is ${up.dtype}[${up.shape}]; expected float32[outputs,rank]`);
    const [outputs, count] = up.shape;
    const rows = transposed(up.data as Float32Array, outputs, count);
    factors.set(downName(weight), down).set(upName(weight), tensor("float32", [count, outputs], rows));
    left.delete(a!);
    left.delete(b!);
  }
  const [other] = left;
  if (other !== undefined)
    throw new Problem(
      `the adapter has "${other}", which belongs to no linear map of the model in the layout ${layout}`,
    );
  return { tensors: factors, metadata: adapterMetadata("lora", scale) };
}

/**
 * The tensors and the adapter_config.json with which PEFT reads what LoRA has learnt on a `decoder` (`Adapters.adapter`) as an
 * adapter of the published model. Layers of smaller ranks are filled up with zeros. Throws a `Problem` for adapters of other
 * kinds or models.
 */
export function adapterToPeft(
  { tensors, metadata }: Safetensors,
  layout: Layout,
): { tensors: Map<string, Tensor>; config: PublishedConfig } {
  if (metadata.method !== "lora")
    throw new Problem(`an adapter of ${metadata.method} cannot be written for PEFT; only those of lora can`);
  const weights = [...tensors.keys()].flatMap((name) =>
    name.endsWith(downName("")) ? [name.slice(0, -downName("").length)] : [],
  );
  const rank = Math.max(...weights.map((weight) => tensors.get(downName(weight))!.shape[0]));
  const filled = ({ shape: [, columns], data }: Tensor) => {
    const rows = new Float32Array(rank * columns);
    rows.set(data as Float32Array);
    return { columns, rows };
  };
  const written = new Map<string, Tensor>();
  for (const weight of weights) {
    const names = peftNames(weight, layout);
    if (!names) throw new Problem(`"${weight}" is no weight of a decoder in the layout ${layout}`);
    const [down, up] = [downName, upName].map((nameOf) => filled(tensors.get(nameOf(weight))!));
    written
      .set(names[0], tensor("float32", [rank, down.columns], down.rows))
      .set(names[1], tensor("float32", [up.columns, rank], transposed(up.rows, rank, up.columns)));
  }
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    r: rank,
    lora_alpha: Number(metadata.scale) * rank,
    target_modules: weights.map((weight) => moduleOf(weight, layout)),
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
  };
  return { tensors: written, config };
}

/** The published module that has a weight. */
function moduleOf(weight: string, layout: Layout): string | undefined {
  return publishedName(weight, layout)?.replace(/\.weight$/, "");
}

/** What PEFT calls A [rank, inputs] and B [outputs, rank] of a weight. */
function peftNames(weight: string, layout: Layout): [string, string] | undefined {
  const module = moduleOf(weight, layout);
  return module === undefined
    ? undefined
    : [`base_model.model.${module}.lora_A.weight`, `base_model.model.${module}.lora_B.weight`];
}
