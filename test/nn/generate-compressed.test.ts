import { expect, test } from "vitest";
import type { Graph } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { replay } from "../../src/engine/replay.ts";
import { createSession } from "../../src/engine/session.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { createGenerator, openCachedDecoder } from "../../src/nn/generate.ts";
import { normal } from "../../src/nn/initializers.ts";
import type { DecoderOptions } from "../../src/nn/models/decoder.ts";
import { decoder } from "../../src/nn/models/decoder.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { transformer } from "../../src/nn/models/transformer.ts";
import { findGroups, type GroupKind } from "../../src/sparsity/groups/kinds.ts";
import { zeroGroups } from "../../src/sparsity/groups.ts";
import { shrinkZeros } from "../../src/sparsity/shrink-zeros.ts";
import { truncateSpectra } from "../../src/sparsity/spectral/truncate.ts";

const small = {
  vocabulary: 19,
  context: 10,
  width: 12,
  blocks: 2,
  heads: 3,
  mlpWidth: 14,
  seed: 3,
  initializer: normal(0.4),
};
const layouts: Record<string, DecoderOptions> = {
  opt: { layout: "opt", ...small, positions: 13, positionOffset: 2 },
  llama: { layout: "llama", ...small },
};

/** Without some groups of a kind: `dead` has those of each set. */
function without(model: Graph, kind: GroupKind, dead: readonly (readonly number[])[]): void {
  const arrays = Object.fromEntries([...model.parameters].map(([name, t]) => [name, t.data]));
  findGroups(model, kind).forEach(({ partition }, set) => {
    const keep = Uint8Array.from({ length: partition.groups }, (_, i) => Number(!dead[set]?.includes(i)));
    zeroGroups(partition, arrays, keep);
  });
}

/** Without the second head of the first block, and without other neurons in each block. */
function pruned(model: Graph): Graph {
  without(model, "head", [[1]]);
  without(model, "neuron", [
    [0, 3],
    [1, 2, 13],
  ]);
  return shrinkZeros(model).graph;
}

/** Without filters wherever there can be fewer, in LLaMA's layout also of the features within heads. */
function narrowed(model: Graph): Graph {
  without(model, "zero-invariant", new Array(6).fill([1]));
  return shrinkZeros(model).graph;
}

const truncated = (model: Graph) =>
  truncateSpectra(model, {
    rule: { kind: "rank", rank: 3 },
    form: ({ weight }) => (weight.includes("k.weight") ? "merged" : "factors"),
  }).graph;
const fromFile = (model: Graph) => importModel(exportModel(model));

const compressions: Record<string, (model: Graph) => Graph> = {
  pruned,
  narrowed,
  truncated,
  "pruned and truncated": (model) => truncated(pruned(model)),
  "pruned and truncated, from a file": (model) => fromFile(truncated(pruned(model))),
};
const cases = Object.keys(layouts).flatMap((layout) =>
  Object.keys(compressions).map((compression) => [layout, compression] as const),
);

const text = Array.from({ length: small.context }, (_, i) => (i * 7 + 3) % small.vocabulary);

/** Logits of the whole text at once, by position. */
async function uncached(model: Graph, tokens: readonly number[]): Promise<Float32Array[]> {
  const session = await createSession(model, { threads: 1 });
  const { [model.outputs[0]]: logits } = await session.run({
    input: tensor("int32", [1, tokens.length], Int32Array.from(tokens)),
  });
  await session.release();
  const vocabulary = logits.shape[1];
  return tokens.map((_, i) => (logits.data as Float32Array).slice(i * vocabulary, (i + 1) * vocabulary));
}

/** Token by token, and of the last but one those that all tokens up to it leave when they are read at once. */
async function cached(model: Graph, tokens: readonly number[]): Promise<Float32Array[]> {
  const { read, release } = await openCachedDecoder(model, undefined, { threads: 1 });
  const logits = [];
  for (const [position, token] of tokens.entries()) logits.push((await read([token], position)).slice());
  logits[tokens.length - 2] = (await read(tokens.slice(0, -1), 0)).slice();
  await release();
  return logits;
}

const distance = (a: readonly Float32Array[], b: readonly Float32Array[]) =>
  Math.max(...a.flatMap((row, i) => Array.from(row, (v, j) => Math.abs(v - b[i][j]))));

/** With the rows of queries and keys as if features came before the two heads. */
function wronglySplit(model: Graph): Graph {
  return replay(model, {
    tensor: (name, t) => {
      if (!/^layers\.0\.attention\.[qk]\.weight$/.test(name)) return t;
      const [rows, columns] = t.shape;
      const data = new Float32Array(t.data.length);
      for (let i = 0; i < rows; i++) {
        const from = (i % 2) * (rows / 2) + Math.floor(i / 2);
        data.set((t.data as Float32Array).subarray(from * columns, (from + 1) * columns), i * columns);
      }
      return { ...t, data };
    },
  });
}

test.each(cases)(
  "%s, %s: logits and text of the past kept are those of the whole graph",
  async (layout, compression) => {
    const options = layouts[layout];
    const original = decoder(options);
    const model = compressions[compression](original);
    const sizes = [...model.parameters.values()].reduce((a, t) => a + t.data.length, 0);
    expect(sizes).toBeLessThan([...original.parameters.values()].reduce((a, t) => a + t.data.length, 0));
    const whole = await uncached(model, text);
    expect(distance(await cached(model, text), whole)).toBeLessThan(2e-5);

    // Of which decoder it was is checked where it is said.
    const generator = await createGenerator(model, options, { threads: 1 });
    const made = [...text.slice(0, 2)];
    for await (const token of generator.generate(made, { tokens: 8 })) made.push(token);
    await generator.release();
    const likeliest = (await uncached(model, made)).map((row) => row.indexOf(Math.max(...row)));
    expect(made.slice(2)).toEqual(likeliest.slice(1, -1));
  },
);

test.each(Object.keys(layouts))("%s: a wrong split of heads gives other logits (control)", async (layout) => {
  const model = pruned(decoder(layouts[layout]));
  expect(model.parameters.get("layers.0.attention.q.weight")!.shape).toEqual([8, 12]);
  expect(model.parameters.get("layers.1.attention.q.weight")!.shape).toEqual([12, 12]);
  expect(distance(await cached(wronglySplit(model), text), await uncached(model, text))).toBeGreaterThan(
    1e-2,
  );
});

test.each<[string, Partial<DecoderOptions>, RegExp]>([
  ["opt", { heads: 6 }, /they want 6 heads, the model has 2/],
  ["opt", { heads: 1 }, /they want 1 heads, the model has 2/],
  [
    "llama",
    { mlpWidth: 10 },
    /they want "layers.0.mlp.up.weight" of shape \[10,12\], the model has \[12,12\]/,
  ],
  ["llama", { blocks: 3 }, /they want "layers.2.norm1.weight" of shape \[12\], the model has none/],
  ["llama", { context: 11 }, /they want a context of 11, the model has 10/],
])("%s, pruned: %j is another decoder", async (layout, other, words) => {
  const model = pruned(decoder(layouts[layout]));
  await expect(createGenerator(model, { ...layouts[layout], ...other })).rejects.toThrow(words);
});

test("keys and values that heads share, a batch, a shorter context, sizes that are all equal, another transformer", async () => {
  const options = { ...layouts.llama, heads: 6, keyValueHeads: 2 };
  const shared = decoder(options);
  expect(shared.parameters.get("layers.0.attention.k.weight")!.shape).toEqual([4, 12]);
  const whole = await uncached(shared, text);
  expect(distance(await cached(decoder({ ...options, batch: 4 }), text), whole)).toBeLessThan(2e-5);

  const { read, context, release } = await openCachedDecoder(shared, { ...options, context: 4 });
  expect(context).toBe(4);
  for (let i = 0; i < 4; i++) expect(distance([await read([text[i]], i)], [whole[i]])).toBeLessThan(2e-5);
  await release();

  const fewer = pruned(shared);
  expect(fewer.parameters.get("layers.0.attention.q.weight")!.shape).toEqual([6, 12]);
  expect(fewer.parameters.get("layers.0.attention.k.weight")!.shape).toEqual([2, 12]);
  expect(distance(await cached(fewer, text), await uncached(fewer, text))).toBeLessThan(2e-5);

  const equal = decoder({ ...layouts.opt, vocabulary: 4, context: 4, width: 16, heads: 4, mlpWidth: 4 });
  const few = [3, 0, 2, 2];
  expect(distance(await cached(equal, few), await uncached(equal, few))).toBeLessThan(2e-5);

  const other = transformer({ vocabulary: 19, context: 10, width: 12, heads: 3, blocks: 2, seed: 1 });
  expect(distance(await cached(other, text), await uncached(other, text))).toBeLessThan(2e-5);
});

test.each<[string, Graph, RegExp]>([
  [
    "no tokens",
    mlp({ inputShape: [4], hidden: [3], classes: 2 }),
    /no decoder: from float32\[1,4\] the model computes float32\[1,2\]/,
  ],
  [
    "tokens that see the future",
    transformer({ vocabulary: 5, context: 4, width: 4, heads: 1, blocks: 1, causal: false }),
    /its mask does not hide the future/,
  ],
  [
    "the last token alone",
    transformer({ vocabulary: 5, context: 4, width: 4, heads: 1, blocks: 1, predict: "last" }),
    /Slice "Slice\w*" does not take each token by itself/,
  ],
])("%s: not to be had token by token", async (_, model, words) => {
  await expect(createGenerator(model)).rejects.toThrow(words);
});
