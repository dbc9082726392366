import { expect, test } from "vitest";
import type { DecoderOptions } from "../../../src/nn/models/decoder.ts";
import { DECODER_SIZES, decoder } from "../../../src/nn/models/decoder.ts";
import type { TranslatorOptions } from "../../../src/nn/models/translator.ts";
import { translator } from "../../../src/nn/models/translator.ts";

const opt = {
  layout: "opt",
  vocabulary: 20,
  context: 8,
  width: 8,
  blocks: 1,
  heads: 2,
  mlpWidth: 16,
} as const;

test.each([
  [{ heads: 3 }, "a width of 8 cannot be shared out to 3 heads; take a multiple of 3"],
  [{ heads: 0 }, "heads is 0"],
  [{ context: 0 }, "context is 0"],
  [{ blocks: 1.5 }, "blocks is 1.5"],
  [{ layout: "gpt" }, 'there is no layout "gpt"'],
  [
    { layout: "llama", width: 6 },
    "a width of 6 cannot be shared out to 2 heads of an even width; take a multiple of 4",
  ],
  [
    { positions: 9, positionOffset: 2 },
    "a table of 9 positions ends before the context of 8 from row 2 on; take 10",
  ],
])("decoder: %o is refused", (change, words) => {
  expect(() => decoder({ ...opt, ...change } as DecoderOptions)).toThrow(words);
});

const pair = {
  sourceVocabulary: 9,
  targetVocabulary: 9,
  sourceLength: 4,
  targetLength: 5,
  mlpWidth: 8,
} as const;
const shape = { geometry: "lorentz", width: 8, heads: 2, encoderBlocks: 1, decoderBlocks: 1 } as const;

test.each([
  [{ geometry: "spherical" }, 'there is no geometry "spherical"'],
  [{ heads: 8 }, "a point of one number is its time coordinate alone"],
  [{ heads: 3 }, "a width of 8 cannot be shared out to 3 heads"],
  [{ positions: 4 }, "tables of 4 positions end before sequences of 5 tokens"],
  [{ targetVocabulary: Number.NaN }, "targetVocabulary is NaN"],
])("translator: %o is refused", (change, words) => {
  expect(() => translator({ ...pair, ...shape, ...change } as TranslatorOptions)).toThrow(words);
});

test("what fits is taken, up to the last row", () => {
  expect(() => decoder({ ...opt, positions: 10, positionOffset: 2 })).not.toThrow();
  expect(() => translator({ ...pair, ...shape, positions: 5 })).not.toThrow();
  const { width, heads, positions } = DECODER_SIZES["opt-125m"];
  expect([width % heads, positions]).toEqual([0, 2050]);
});
