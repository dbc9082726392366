import { expect, test } from "vitest";
import { corpusBleu } from "../../src/nn/bleu.ts";
import { sacreBleu, tokenize13a } from "../../src/nn/sacre-bleu.ts";
import sacre from "../vectors/sacre-bleu.json" with { type: "json" };
import vectors from "../vectors/sst.json" with { type: "json" };

test("the vector, and what it must and must not depend on", () => {
  const { hyp, ref, bleu4 } = vectors.bleu;
  const [h, r] = [hyp.split(" "), ref.split(" ")];
  expect(corpusBleu([h], [[r]])).toBeCloseTo(bleu4, 10);
  expect(corpusBleu([r], [[r]])).toBeCloseTo(100, 10);
  expect(corpusBleu([[...r].reverse()], [[r]])).toBe(0);
  // Counts are clipped: repeating a word that is there once earns nothing.
  expect(corpusBleu([[..."abcd", "a", "a", "a"]], [[[..."abcdefg"]]])).toBeLessThan(60);
  // A corpus is not a mean of sentences.
  expect(corpusBleu([h, r], [[r], [r]])).toBeGreaterThan(bleu4);
});

/** The README's example of sacreBLEU, with what its own tests (test/test_bleu.py) expect. */
const hypotheses = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."];
const references = [
  ["The dog bit the man.", "The dog had bit the man."],
  ["It was not unexpected.", "No one was surprised."],
  ["The man bit him first.", "The man had bitten the dog."],
];

test("sacreBLEU's published cases", () => {
  expect(sacreBleu(hypotheses, references)).toBeCloseTo(48.530827, 6);
  expect(sacreBleu(["", "", ""], references)).toBe(0);
  expect(sacreBleu(["this is a test"], [["this is a test"]])).toBeCloseTo(100, 8);
  const words = (s: string) => s.split(" ");
  const byWords = corpusBleu(
    hypotheses.map(words),
    references.map((r) => r.map(words)),
  );
  expect(byWords).toBeCloseTo(49.1919566, 6);
  const byOrder = [77.65, 60.5, 53.93, 48.53, 46.14, 43.28];
  byOrder.forEach((bleu, i) => {
    const tokens = (s: string) => tokenize13a(s);
    const found = corpusBleu(
      hypotheses.map(tokens),
      references.map((r) => r.map(tokens)),
      { order: i + 1, smoothing: "exp" },
    );
    expect(found).toBeCloseTo(bleu, 2);
  });
  // The longest order matches nowhere: without smoothing that is 0.
  const [h, r] = [words("am I am a character sequence"), words("I am a symbol string sequence a a")];
  expect(corpusBleu([h], [[r]])).toBe(0);
  expect(corpusBleu([h], [[r]], { smoothing: "exp" })).toBeGreaterThan(10);
});

test("sacreBLEU's tokens and scores of other sentences", () => {
  for (const { text, tokens } of sacre.tokens) expect(tokenize13a(text)).toEqual(tokens);
  for (const { hypotheses: h, references: r, bleu } of sacre.corpora)
    expect(
      sacreBleu(
        h,
        r.map((one) => [one]),
      ),
    ).toBeCloseTo(bleu, 8);
});
