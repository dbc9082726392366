import { describe, expect, it } from "vitest";
import { readSafetensors, writeSafetensors } from "../../../src/data/safetensors.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { train } from "../../../src/nn/trainer.ts";
import { applyAdapter } from "../../../src/sparsity/spectral/adapter.ts";
import { createDora, createLora } from "../../../src/sparsity/spectral/lora.ts";
import { expectProblem } from "../../data/support.ts";
import { MAPS, network, repeated, sumOfSquares } from "./network.ts";

const METHODS = { lora: createLora, dora: createDora };

/** A network whose factors alone have trained, and these as a file. */
async function adapted(method: keyof typeof METHODS): Promise<{ model: Graph; file: Uint8Array }> {
  const model = network();
  const sparsifier = METHODS[method](model, { rank: 2, scale: 0.3 });
  await train(model, sumOfSquares, repeated(5), {
    epochs: 1,
    optimizer: { kind: "adam" },
    learningRate: 0.01,
    threads: 1,
    trainable: sparsifier.trainable,
    sparsifier,
  });
  const { tensors, metadata } = sparsifier.adapter();
  return { model, file: writeSafetensors(tensors, metadata) };
}

const weightsOf = (model: Graph) => [...model.parameters].map(([name, { data }]) => [name, [...data]]);

describe.each(["lora", "dora"] as const)("a file of what %s has learnt", (method) => {
  it("makes of the model that it began with the one that it ended with, bit for bit", async () => {
    const { model, file } = await adapted(method);
    const found = network();
    expect(weightsOf(found)).not.toEqual(weightsOf(model));
    applyAdapter(found, readSafetensors(file));
    expect(weightsOf(found)).toEqual(weightsOf(model));
  });

  it("holds the factors alone", async () => {
    const { tensors } = readSafetensors((await adapted(method)).file);
    const parts = method === "dora" ? ["down", "magnitude", "up"] : ["down", "up"];
    expect([...tensors.keys()].sort()).toEqual(MAPS.flatMap((w) => parts.map((p) => `${w}/${p}`)).sort());
  });
});

it("adapters that do not fit say why, and change nothing", async () => {
  const { tensors, metadata } = readSafetensors((await adapted("dora")).file);
  const [weight] = MAPS;
  const model = network();
  const before = weightsOf(model);
  const without = (name: string) => new Map([...tensors].filter(([n]) => n !== name));
  const cases: [typeof tensors, typeof metadata, RegExp][] = [
    [tensors, {}, /^no adapter: the metadata are \{\}; expected/],
    [tensors, { ...metadata, scale: "wide" }, /^no adapter: .*wide/],
    [tensors, { ...metadata, method: "relora" }, /^no adapter: .*relora/],
    [without(`${weight}/magnitude`), metadata, /magnitude" is missing; expected float32\[\d+\]/],
    [without(`${weight}/down`), metadata, /down" is missing; expected float32\[1,\d+\]/],
    [
      new Map([...tensors, [`${weight}/up`, tensor("float32", [2, 1], [1, 1])]]),
      metadata,
      /up" is float32\[2,1\]; expected float32\[2,\d+\], as ".*" has \d+ outputs and \d+ inputs/,
    ],
    [
      new Map([["other/up", tensor("float32", [1], [1])]]),
      metadata,
      /"other", which is no linear map of the model; there are /,
    ],
  ];
  for (const [t, m, message] of cases)
    expectProblem(() => applyAdapter(model, { tensors: t, metadata: m }), message);
  expect(weightsOf(model)).toEqual(before);
});

it("there is no adapter before a training has begun", () => {
  expectProblem(
    () => createLora(network(), { rank: 2 }).adapter(),
    /^lora: there are no factors yet; train first$/,
  );
});
