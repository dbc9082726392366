import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { trainBytePairs } from "../../src/text/byte-pairs.ts";
import type { TokenizerFile } from "../../src/text/tokenizer.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import { SHARED_DATA } from "./shared-data.ts";

/** The job that makes the corpus. */
export interface PairsJob {
  vocabulary: number;
}

/** Sentences in tokens of one byte-pair encoding for both languages, without begin and end. */
export interface Pairs {
  source: number[][];
  target: number[][];
}

export interface PairsCorpus {
  tokenizer: TokenizerFile;
  training: Pairs;
  validation: Pairs;
  test: Pairs;
  /** The test part's translations as they are written. */
  references: string[];
}

/** Tokens that no sentence holds. */
export const SPECIAL = ["<pad>", "<s>", "</s>"] as const;
export const [PADDING, BEGIN, END] = [0, 1, 2];

/** Multi30k from English to German as its authors publish it; the test part is that of 2016. */
export async function makePairs({ vocabulary }: PairsJob): Promise<PairsCorpus> {
  const lines = async (part: string) => {
    const bytes = await readFile(join(SHARED_DATA, "multi30k", "raw", `${part}.gz`));
    return gunzipSync(bytes).toString("utf8").trimEnd().split("\n");
  };
  const texts = async (part: string) => ({
    source: await lines(`${part}.en`),
    target: await lines(`${part}.de`),
  });
  const training = await texts("train");
  const text = [...training.source, ...training.target].join("\n");
  const tokenizer = trainBytePairs(text, { vocabulary, special: SPECIAL });
  const { encode } = createTokenizer(tokenizer);
  const inTokens = (pairs: { source: string[]; target: string[] }): Pairs => ({
    source: pairs.source.map(encode),
    target: pairs.target.map(encode),
  });
  const test = await texts("test_2016_flickr");
  return {
    tokenizer,
    training: inTokens(training),
    validation: inTokens(await texts("val")),
    test: inTokens(test),
    references: test.target,
  };
}
