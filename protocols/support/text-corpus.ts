import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { trainBytePairs } from "../../src/text/byte-pairs.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import { SHARED_DATA } from "./shared-data.ts";

/** The job that makes a corpus. */
export interface CorpusJob {
  vocabulary: number;
}

export interface Corpus {
  training: Uint16Array;
  heldOut: Record<HeldOut, Uint16Array>;
  /** Bytes of text that each token spells. */
  bytes: Uint8Array;
}

/** Of the texts that training sees parts of, and one that it sees nothing of. */
export const HELD_OUT = ["ptb", "shakespeare", "wikitext2"] as const;
export type HeldOut = (typeof HELD_OUT)[number];

/**
 * PTB's training part and the first nine tenths of tiny Shakespeare as one text, in the tokens of a byte-pair encoding that
 * has learnt from it; held out are PTB's validation part, the last tenth, and WikiText-2's validation part.
 */
export async function makeCorpus({ vocabulary }: CorpusJob): Promise<Corpus> {
  const read = (...path: string[]) => readFile(join(SHARED_DATA, "lm_text", ...path), "utf8");
  const shakespeare = await read("tinyshakespeare", "input.txt");
  const cut = shakespeare.indexOf("\n\n", 0.9 * shakespeare.length);
  const text = (await read("ptb", "ptb.train.txt")) + shakespeare.slice(0, cut);
  const file = trainBytePairs(text, { vocabulary });
  const tokenizer = createTokenizer(file);
  const tokens = (part: string) => Uint16Array.from(tokenizer.encode(part));
  const bytes = new Uint8Array(vocabulary);
  for (const [token, number] of Object.entries(file.model.vocab)) bytes[number] = token.length;
  return {
    training: tokens(text),
    heldOut: {
      ptb: tokens(await read("ptb", "ptb.valid.txt")),
      shakespeare: tokens(shakespeare.slice(cut)),
      wikitext2: tokens(await read("wikitext2", "valid.txt")),
    },
    bytes,
  };
}

/** What held-out text costs, in nats a token, when each token is said as often as in training, whatever came before it. */
export function unigramLoss({ training, bytes }: Corpus, text: Uint16Array): number {
  const counts = new Float64Array(bytes.length).fill(1);
  for (const token of training) counts[token]++;
  const total = training.length + bytes.length;
  return text.reduce((sum, token) => sum - Math.log(counts[token] / total), 0) / text.length;
}
