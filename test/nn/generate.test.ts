import { expect, test } from "vitest";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { createSession } from "../../src/engine/session.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { createGenerator, drawToken, openCachedDecoder } from "../../src/nn/generate.ts";
import { normal } from "../../src/nn/initializers.ts";
import { cachedDecoder } from "../../src/nn/models/cached-decoder.ts";
import type { DecoderOptions } from "../../src/nn/models/decoder.ts";
import { decoder } from "../../src/nn/models/decoder.ts";
import { Problem } from "../../src/problem.ts";
import { random } from "../../src/random.ts";
import { median } from "../../src/runs/latency.ts";

const small = {
  vocabulary: 31,
  context: 24,
  width: 16,
  blocks: 2,
  heads: 2,
  mlpWidth: 32,
  seed: 3,
  initializer: normal(0.3),
};
const variants: Record<string, DecoderOptions> = {
  opt: { layout: "opt", ...small, positions: 30, positionOffset: 2 },
  "opt, norms after, narrow table": { layout: "opt", ...small, embeddingWidth: 8, normAfter: true },
  llama: { layout: "llama", ...small },
};

function someTokens(count: number, vocabulary: number): number[] {
  const rng = random(5);
  return Array.from({ length: count }, () => rng.integer(vocabulary));
}

/** Logits of the whole sequence at once, by position. */
async function uncached(options: DecoderOptions, tokens: readonly number[]): Promise<Float32Array[]> {
  const model = decoder(options);
  const session = await createSession(model);
  const { [model.outputs[0]]: logits } = await session.run({
    input: tensor("int32", [1, options.context], Int32Array.from(tokens)),
  });
  await session.release();
  const { vocabulary } = options;
  return tokens.map((_, i) => (logits.data as Float32Array).slice(i * vocabulary, (i + 1) * vocabulary));
}

const distance = (a: Float32Array, b: Float32Array) =>
  a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i])), 0);

test.each(Object.entries(variants))(
  "%s: with its past kept, a decoder says the same at every position",
  async (_, options) => {
    const tokens = someTokens(options.context, options.vocabulary);
    const whole = await uncached(options, tokens);
    const cached = await openCachedDecoder(decoder(options), options);
    // Twice, because what the first sequence left must not be seen by the second.
    for (let sequence = 0; sequence < 2; sequence++)
      for (const [position, token] of tokens.entries())
        expect(distance(await cached.read([token], position), whole[position])).toBeLessThan(1e-4);
    // Control: a token at a place that is not its own sees another past.
    expect(distance(await cached.read([tokens[9]], 9), whole[9])).toBeLessThan(1e-4);
    expect(distance(await cached.read([tokens[9]], 8), whole[9])).toBeGreaterThan(1e-2);
    expect(distance(await cached.read([tokens[9]], 10), whole[9])).toBeGreaterThan(1e-2);
    await cached.release();
  },
);

test.each([
  ...Object.entries(variants),
  ["llama, longer than what is read at once", { ...variants.llama, context: 200 }] as const,
])("%s: a prompt that is read at once leaves what it leaves token by token", async (_, options) => {
  const { context, vocabulary } = options;
  const tokens = someTokens(context, vocabulary);
  const whole = await uncached(options, tokens);
  const cached = await openCachedDecoder(decoder(options), options);
  const ends = [8, 9, 17, 63, 64, 65, 71, 72, 73, 128, 136, context - 1, context].filter((n) => n <= context);
  for (const end of ends)
    for (const start of [0, 5]) {
      for (let i = 0; i < start; i++) await cached.read([tokens[i]], i);
      const logits = await cached.read(tokens.slice(start, end), start);
      expect(distance(logits, whole[end - 1]), `${start} to ${end}`).toBeLessThan(1e-4);
      for (let i = end; i < Math.min(end + 2, context); i++)
        expect(distance(await cached.read([tokens[i]], i), whole[i]), `${i} after ${end}`).toBeLessThan(1e-4);
    }
  // Control: tokens at places that are not their own.
  expect(distance(await cached.read(tokens.slice(0, 12), 1), whole[11])).toBeGreaterThan(1e-2);
  await cached.release();
  // A context that is shorter than what is read at once.
  const shorter = await openCachedDecoder(decoder(options), { positions: context, ...options, context: 12 });
  expect(distance(await shorter.read(tokens.slice(0, 11), 0), whole[10])).toBeLessThan(1e-4);
  expect(distance(await shorter.read([tokens[11]], 11), whole[11])).toBeLessThan(1e-4);
  await shorter.release();
  expect(() => cachedDecoder(decoder(options), undefined, context)).toThrow(
    `${context} tokens at once are not below the model's context of ${context}`,
  );
});

test("a long prompt is read in a fraction of the time that its tokens take one after the other", async () => {
  const options: DecoderOptions = {
    layout: "llama",
    vocabulary: 512,
    context: 256,
    width: 96,
    blocks: 2,
    heads: 2,
    mlpWidth: 384,
  };
  const prompt = someTokens(192, options.vocabulary);
  const cached = await openCachedDecoder(decoder(options), options, { threads: 1 });
  const time = async (run: () => Promise<unknown>) => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };
  const ratios: number[] = [];
  for (let round = 0; round < 5; round++) {
    const together = await time(() => cached.read(prompt, 0));
    const apart = await time(async () => {
      for (const [i, token] of prompt.entries()) await cached.read([token], i);
    });
    if (round > 0) ratios.push(apart / together);
  }
  await cached.release();
  expect(median(ratios)).toBeGreaterThan(2);
});

test("the past pays at 256 tokens", async () => {
  const options: DecoderOptions = {
    ...variants.opt,
    context: 256,
    positions: 256,
    positionOffset: 0,
    width: 64,
    mlpWidth: 256,
  };
  const model = decoder(options);
  const tokens = someTokens(256, options.vocabulary);
  const session = await createSession(model, { threads: 1 });
  const cached = await openCachedDecoder(model, options, { threads: 1 });
  const feeds = { input: tensor("int32", [1, 256], Int32Array.from(tokens)) };
  for (const [position, token] of tokens.entries()) await cached.read([token], position);
  const ratios: number[] = [];
  const time = async (run: () => Promise<unknown>) => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };
  for (let i = 0; i < 15; i++)
    ratios.push((await time(() => session.run(feeds))) / (await time(() => cached.read([tokens[255]], 255))));
  await Promise.all([session.release(), cached.release()]);
  expect(median(ratios)).toBeGreaterThan(3);
});

test("greedy text is what the whole network finds likeliest; draws follow the seed", async () => {
  const options = variants.llama;
  const model = decoder(options);
  const generator = await createGenerator(model, options);
  const make = async (more: object, prompt = [1, 2, 3]) => {
    const made: number[] = [];
    for await (const token of generator.generate(prompt, { tokens: 10, ...more })) made.push(token);
    return made;
  };
  const greedy = await make({});
  expect(greedy).toHaveLength(10);
  const padded = [1, 2, 3, ...greedy, ...new Array<number>(11).fill(0)];
  const whole = await uncached(options, padded);
  greedy.forEach((token, i) => {
    expect(whole[i + 2][token]).toBeCloseTo(Math.max(...whole[i + 2]), 4);
  });
  const drawn = await make({ temperature: 1, seed: 1 });
  expect(await make({ temperature: 1, seed: 1 })).toEqual(drawn);
  expect(await make({ temperature: 1, seed: 2 })).not.toEqual(drawn);
  expect(await make({ temperature: 1, topK: 1 })).toEqual(greedy);
  expect(await make({ stop: greedy[4] })).toEqual(greedy.slice(0, greedy.indexOf(greedy[4]) + 1));
  await expect(make({ tokens: 22 })).rejects.toThrow(Problem);
  await expect(make({}, [])).rejects.toThrow(Problem);
  for (const [more, words] of [
    [{ tokens: -1 }, "tokens is -1"],
    [{ tokens: 1.5 }, "tokens is 1.5"],
    [{ temperature: -1 }, "temperature is -1"],
    [{ temperature: Number.NaN }, "temperature is NaN"],
    [{ temperature: 1, topK: 0 }, "topK is 0"],
    [{ temperature: 1, topP: 0 }, "topP is 0"],
    [{ temperature: 1, topP: 1.1 }, "topP is 1.1"],
  ] as const)
    await expect(make(more)).rejects.toThrow(words);
  for (const foreign of [options.vocabulary, -1, 0.5, Number.NaN])
    await expect(make({}, [1, foreign])).rejects.toThrow(`the token ${foreign}; the model knows 0 to 30`);
  await generator.release();
  model.parameters.get("tokens.weight")!.data.fill(Number.NaN);
  const diverged = await createGenerator(model, options);
  await expect(diverged.generate([1], { tokens: 1 }).next()).rejects.toThrow("logits are no numbers");
  await diverged.release();
  await expect(createGenerator(model, { ...options, mlpWidth: 8 })).rejects.toThrow(/another decoder.*mlp/);
});

test("one text at a time: another is refused until the first has ended or was left", async () => {
  const options = variants.opt;
  const generator = await createGenerator(decoder(options), options);
  const all = async () => {
    const made: number[] = [];
    for await (const token of generator.generate([1, 2], { tokens: 4 })) made.push(token);
    return made;
  };
  const alone = await all();
  const first = generator.generate([1, 2], { tokens: 4 });
  const idle = generator.generate([3], { tokens: 1 });
  const made = [(await first.next()).value];
  await expect(all()).rejects.toThrow(Problem);
  await expect(idle.next()).rejects.toThrow("the generator is at another text");
  for await (const token of first) made.push(token);
  expect(made).toEqual(alone);
  const left = generator.generate([1, 2], { tokens: 4 });
  await left.next();
  await left.return();
  for await (const _ of generator.generate([5], { tokens: 3 })) break;
  expect(await all()).toEqual(alone);
  await generator.release();
});

test.each<[string, Partial<DecoderOptions>, RegExp]>([
  ["opt", { heads: 4 }, /they want 4 heads, the model has 2/],
  ["llama", { heads: 1 }, /they want 1 heads, the model has 2/],
  ["opt", { blocks: 1 }, /they leave out "layers.1.*", which the model has/],
  ["opt", { positionOffset: 1 }, /they begin at row 1 of the positions, the model at 2/],
  ["opt, norms after, narrow table", { positionOffset: 1 }, /the model at 0/],
  ["llama", { tied: true }, /they leave out "head.weight"/],
  ["opt", { normAfter: true }, /they leave out "norm.weight"/],
])("%s with %j is another decoder", async (name, other, words) => {
  const options = variants[name];
  await expect(createGenerator(decoder(options), { ...options, ...other })).rejects.toThrow(words);
});

test.each(Object.entries(variants))(
  "%s from a file generates as the original, and its heads are known",
  async (_, options) => {
    const imported = importModel(exportModel(decoder(options)));
    const texts = [];
    for (const model of [decoder(options), imported]) {
      const generator = await createGenerator(model, options);
      const text: number[] = [];
      for await (const token of generator.generate([4, 2], { tokens: 6 })) text.push(token);
      texts.push(text);
      await generator.release();
    }
    expect(texts[1]).toEqual(texts[0]);
    await expect(createGenerator(imported, { ...options, heads: 4 })).rejects.toThrow("the model has 2");
  },
);

test("draws are as frequent as the softmax says, among the likeliest alone", () => {
  const logits = Float32Array.from([0, 2, -1, 1]);
  const frequencies = (temperature: number, topK: number, topP = 1) => {
    const rng = random(7);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 40_000; i++) counts[drawToken(logits, { temperature, topK, topP }, rng)]++;
    return counts.map((c) => c / 40_000);
  };
  const softmax = (values: readonly number[]) => {
    const e = values.map(Math.exp);
    return e.map((v) => v / e.reduce((a, b) => a + b, 0));
  };
  // Five standard deviations of a frequency are 0.0125 at most.
  const all = frequencies(2, 4);
  softmax([0, 1, -0.5, 0.5]).forEach((p, i) => {
    expect(Math.abs(all[i] - p)).toBeLessThan(0.0125);
  });
  const two = frequencies(1, 2);
  const [p1, p3] = softmax([2, 1]);
  expect(Math.abs(two[1] - p1)).toBeLessThan(0.0125);
  expect(Math.abs(two[3] - p3)).toBeLessThan(0.0125);
  expect(two[0] + two[2]).toBe(0);
  // By falling probability .64, .24, .09, .03: the first two have .88 of it.
  const nucleus = frequencies(1, 4, 0.87);
  expect(Math.abs(nucleus[1] - p1)).toBeLessThan(0.0125);
  expect(nucleus[0] + nucleus[2]).toBe(0);
  expect(frequencies(1, 4, 0.89)[0]).toBeGreaterThan(0.05);
  expect(frequencies(1, 4, 0.6)).toEqual([0, 1, 0, 0]);
  // Of the two likeliest alone the first has .73.
  expect(frequencies(1, 2, 0.7)).toEqual([0, 1, 0, 0]);
});
