import { expect, test } from "vitest";
import { corpusBleu } from "../../src/nn/bleu.ts";
import vectors from "../vectors/sst.json" with { type: "json" };

test("the vector, and what it must and must not depend on", () => {
  const { hyp, ref, bleu4 } = vectors.bleu;
  const [h, r] = [hyp.split(" "), ref.split(" ")];
  expect(corpusBleu([h], [r])).toBeCloseTo(bleu4, 10);
  expect(corpusBleu([r], [r])).toBeCloseTo(100, 10);
  expect(corpusBleu([[...r].reverse()], [r])).toBe(0);
  // Counts are clipped: repeating a word that is there once earns nothing.
  expect(corpusBleu([[..."abcd", "a", "a", "a"]], [[..."abcdefg"]])).toBeLessThan(60);
  // A corpus is not a mean of sentences.
  expect(corpusBleu([h, r], [r, r])).toBeGreaterThan(bleu4);
});
