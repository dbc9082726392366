import fc from "fast-check";
import { expect, test } from "vitest";
import { Problem } from "../../src/problem.ts";
import { trainBytePairs } from "../../src/text/byte-pairs.ts";
import type { TokenizerFile } from "../../src/text/tokenizer.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import vectors from "../vectors/byte-pairs.json" with { type: "json" };

const spaced = (merges: TokenizerFile["model"]["merges"]) => merges.map((m) => m.join(" "));

test("another trainer's merges and numbers, and its encodings", () => {
  const { text, vocabulary, special, merges, vocab, encoded } = vectors;
  const file = trainBytePairs(text, { vocabulary, special });
  expect(spaced(file.model.merges)).toEqual(merges);
  expect(file.model.vocab).toEqual(Object.fromEntries(vocab.map((token, i) => [token, i])));
  const tokenizer = createTokenizer(file);
  expect(tokenizer.vocabulary).toBe(vocabulary);
  for (const sample of encoded) {
    expect(tokenizer.encode(sample.text)).toEqual(sample.ids);
    expect(tokenizer.decode(sample.ids)).toBe(sample.text);
  }
  expect(tokenizer.encode("a<|endoftext|>b")[1]).toBe(tokenizer.token("<|endoftext|>"));
});

/** The definition: count all pairs of all words anew before each merge. */
function bruteForceMerges(words: readonly string[], merges: number): string[] {
  const letters = [..."abc Ġ"].sort();
  const order = new Map(letters.map((l, i) => [l, i]));
  let split = words.map((w) => [...w]);
  const found: string[] = [];
  while (found.length < merges) {
    const counts = new Map<string, number>();
    for (const w of split)
      for (let i = 1; i < w.length; i++) {
        const pair = `${w[i - 1]} ${w[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    const rank = (pair: string) => pair.split(" ").map((token) => order.get(token)!);
    const [best] = [...counts]
      .filter(([, count]) => count >= 2)
      .sort(([a, m], [b, n]) => n - m || rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1]);
    if (!best) break;
    found.push(best[0]);
    const [left, right] = best[0].split(" ");
    if (!order.has(left + right)) order.set(left + right, order.size);
    split = split.map((w) => {
      const out: string[] = [];
      for (const token of w)
        if (out.at(-1) === left && token === right) out.push(`${out.pop()}${token}!`);
        else out.push(token);
      return out.map((token) => token.replace("!", ""));
    });
  }
  return found;
}

test("merges are those of counting everything anew each time", () => {
  const word = fc
    .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 9 })
    .map((w) => w.join(""));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), (words) => {
      const { merges } = trainBytePairs(words.join(" "), { vocabulary: 256 + 20 }).model;
      const written = words.map((w, i) => (i === 0 ? w : `Ġ${w}`));
      expect(spaced(merges)).toEqual(bruteForceMerges(written, 20));
    }),
  );
});

test("any text comes back, trained on another", () => {
  const tokenizer = createTokenizer(trainBytePairs(vectors.text, { vocabulary: 400 }));
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }),
  );
  // Control: without one of its tokens the text is another.
  const tokens = tokenizer.encode("Before we proceed");
  expect(tokenizer.decode(tokens.slice(1))).not.toBe("Before we proceed");
  expect(tokens.length).toBeLessThan("Before we proceed".length);
});

test("what cannot be is said", () => {
  expect(() => trainBytePairs("a", { vocabulary: 255 })).toThrow(Problem);
  expect(() => trainBytePairs("a", { vocabulary: 300.5 })).toThrow("the vocabulary is 300.5");
  expect(() => trainBytePairs("a", { vocabulary: Number.NaN })).toThrow("the vocabulary is NaN");
  for (const special of [["<a>", "<a>"], ["a"], [""]])
    expect(() => trainBytePairs("a", { vocabulary: 300, special })).toThrow("the special token");
  // A text without pairs is no error: its bytes are tokens all the same.
  const bytes = createTokenizer(trainBytePairs("", { vocabulary: 300, special: ["<end>"] }));
  expect([bytes.vocabulary, bytes.decode(bytes.encode("né"))]).toEqual([257, "né"]);
  for (const token of [Number.NaN, -1, 0.5])
    expect(() => bytes.decode([token])).toThrow(`${token} is no token`);
  expect(() => createTokenizer({ version: "1.0" } as TokenizerFile)).toThrow(Problem);
});
