import { expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../../src/data/safetensors.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import { decoder } from "../../../src/nn/models/decoder.ts";
import { random } from "../../../src/random.ts";
import { adapterMetadata, applyAdapter } from "../../../src/sparsity/spectral/adapter.ts";
import { adapterFromPeft, adapterToPeft } from "../../../src/sparsity/spectral/peft.ts";
import { expectProblem } from "../../data/support.ts";

const sizes = { vocabulary: 11, context: 4, width: 8, blocks: 2, heads: 2, mlpWidth: 6 };
const rng = random(3);
const drawn = (...shape: number[]) =>
  tensor(
    "float32",
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );

/** Two modules of each published layout, with the weights of `decoder` that they are. */
const layouts = {
  opt: {
    "model.decoder.layers.1.fc1": "layers.1.mlp.up",
    "model.decoder.layers.0.self_attn.out_proj": "layers.0.attention.out",
  },
  llama: {
    "model.layers.1.mlp.gate_proj": "layers.1.mlp.gate",
    "model.layers.0.self_attn.v_proj": "layers.0.attention.v",
  },
};
const shapes: Record<string, [number, number]> = {
  "layers.1.mlp.up": [6, 8],
  "layers.1.mlp.gate": [6, 8],
  "layers.0.attention.out": [8, 8],
  "layers.0.attention.v": [8, 8],
};

/** W + alpha/r·B A in plain loops. */
function adapted(weight: Tensor, a: Tensor, b: Tensor, scale: number): number[] {
  const [outputs, inputs] = weight.shape;
  const rank = a.shape[0];
  return Array.from(weight.data as Float32Array, (w, at) => {
    const [i, j] = [Math.floor(at / inputs), at % inputs];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += Number(b.data[i * rank + k]) * Number(a.data[k * inputs + j]);
    expect(b.shape).toEqual([outputs, rank]);
    return w + scale * sum;
  });
}

const close = (found: ArrayLike<number>, expected: readonly number[]) =>
  expect(Math.max(...expected.map((v, i) => Math.abs(v - found[i])))).toBeLessThan(1e-5);

function peftFile(layout: keyof typeof layouts): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [module, part] of Object.entries(layouts[layout])) {
    const [outputs, inputs] = shapes[part];
    tensors.set(`base_model.model.${module}.lora_A.weight`, drawn(3, inputs));
    tensors.set(`base_model.model.${module}.lora_B.weight`, drawn(outputs, 3));
  }
  return tensors;
}

const config = {
  peft_type: "LORA",
  r: 3,
  lora_alpha: 6,
  target_modules: ["any"],
  rank_pattern: {},
  use_dora: false,
};

test.each(["opt", "llama"] as const)(
  "%s: what PEFT's adapter adds is alpha/r·B A, and it goes back as it came",
  (layout) => {
    const model = decoder({ layout, ...sizes });
    const before = new Map(model.parameters);
    const tensors = peftFile(layout);
    const adapter = adapterFromPeft(model, layout, tensors, config);
    applyAdapter(model, readSafetensors(writeSafetensors(adapter.tensors, adapter.metadata)));
    const parts: Record<string, string> = layouts[layout];
    for (const [name, { data }] of model.parameters) {
      const [module] = Object.entries(parts).find(([, part]) => name === `${part}.weight`) ?? [];
      const [a, b] = ["A", "B"].map(
        (factor) => tensors.get(`base_model.model.${module}.lora_${factor}.weight`)!,
      );
      if (module) close(data, adapted(before.get(name)!, a, b, 2));
      else expect(data).toBe(before.get(name)!.data);
    }
    const back = adapterToPeft(adapter, layout);
    expect(new Map([...back.tensors].sort())).toEqual(new Map([...tensors].sort()));
    expect(back.config).toMatchObject({ peft_type: "LORA", r: 3, lora_alpha: 6, bias: "none" });
    expect([...(back.config.target_modules as string[])].sort()).toEqual(Object.keys(parts).sort());
  },
);

test("rank-stabilised adapters are divided by the root of the rank", () => {
  const model = decoder({ layout: "llama", ...sizes });
  const { metadata } = adapterFromPeft(model, "llama", peftFile("llama"), { ...config, use_rslora: true });
  expect(Number(metadata.scale)).toBeCloseTo(6 / Math.sqrt(3), 12);
});

test("ranks that differ are filled up, and the sum stays", () => {
  const [small, large] = ["layers.0.attention.v.weight", "layers.1.mlp.gate.weight"];
  const tensors = new Map<string, Tensor>([
    [`${small}/down`, drawn(1, 8)],
    [`${small}/up`, drawn(1, 8)],
    [`${large}/down`, drawn(2, 8)],
    [`${large}/up`, drawn(2, 6)],
  ]);
  const adapter = { tensors, metadata: adapterMetadata("lora", 0.7) };
  const own = decoder({ layout: "llama", ...sizes });
  applyAdapter(own, adapter);
  const peft = adapterToPeft(adapter, "llama");
  expect([...peft.tensors.values()].map(({ shape }) => shape)).toEqual([
    [2, 8],
    [8, 2],
    [2, 8],
    [6, 2],
  ]);
  const scale = Number(peft.config.lora_alpha) / Number(peft.config.r);
  const base = decoder({ layout: "llama", ...sizes });
  for (const [name, module] of [
    [small, "model.layers.0.self_attn.v_proj"],
    [large, "model.layers.1.mlp.gate_proj"],
  ]) {
    const [a, b] = ["A", "B"].map(
      (factor) => peft.tensors.get(`base_model.model.${module}.lora_${factor}.weight`)!,
    );
    close(own.parameters.get(name)!.data, adapted(base.parameters.get(name)!, a, b, scale));
  }
});

test("adapters that are not LoRA's or belong elsewhere are refused", () => {
  const model = decoder({ layout: "llama", ...sizes });
  const tensors = peftFile("llama");
  const [name] = [...tensors.keys()];
  const cases: [typeof tensors, object, RegExp][] = [
    [tensors, { peft_type: "IA3" }, /^config: peft_type is "IA3"/],
    [tensors, { use_dora: true }, /^config: use_dora is true/],
    [tensors, { rank_pattern: { q_proj: 4 } }, /^config: rank_pattern is \{"q_proj":4\}/],
    [tensors, { modules_to_save: ["lm_head"] }, /^config: modules_to_save is \["lm_head"\]/],
    [tensors, { r: undefined }, /^config: r is undefined; expected a number/],
    [peftFile("opt"), {}, /belongs to no linear map of the model in the layout llama/],
    [new Map([...tensors].filter(([n]) => n !== name)), {}, /lora_B.weight", which belongs to no linear map/],
    [
      new Map([...tensors, [name.replace("_A", "_B"), drawn(6)]]),
      {},
      /is float32\[6\]; expected float32\[outputs,rank\]/,
    ],
  ];
  for (const [t, other, message] of cases)
    expectProblem(() => adapterFromPeft(model, "llama", t, { ...config, ...other }), message);
  const dora = { tensors: new Map(), metadata: adapterMetadata("dora", 1) };
  expectProblem(() => adapterToPeft(dora, "llama"), /^an adapter of dora cannot be written for PEFT/);
  const foreign = {
    tensors: new Map([["conv.weight/down", drawn(1, 2)]]),
    metadata: adapterMetadata("lora", 1),
  };
  expectProblem(
    () => adapterToPeft(foreign, "opt"),
    /^"conv.weight" is no weight of a decoder in the layout opt/,
  );
});
