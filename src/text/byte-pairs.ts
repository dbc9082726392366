import { Problem } from "../problem.ts";
import type { TokenizerFile } from "./tokenizer.ts";
import { openTokenizer } from "./tokenizer.ts";

export interface BytePairOptions {
  /** Tokens in all: the special ones, 256 bytes, and a merge each. */
  vocabulary: number;
  /** Tokens that no text makes by chance, such as `<|endoftext|>`; they are the first ones. Default none. */
  special?: readonly string[];
}

/**
 * Learns a byte-level byte-pair encoding (Sennrich et al. 2016; over bytes: Radford et al. 2019): the pair of tokens that is
 * most frequent within words becomes a token, again and again. Of equally frequent pairs the one with the smaller numbers is
 * first. Stops early where no pair is left that occurs twice. Throws a `Problem` for a vocabulary without room for the bytes.
 */
export function trainBytePairs(text: string, { vocabulary, special = [] }: BytePairOptions): TokenizerFile {
  const tokens = [...special, ...byteAlphabet()];
  const twice = tokens.find((token, i) => tokens.indexOf(token) !== i || token === "");
  if (twice !== undefined)
    throw new Problem(
      `the special token "${twice}" is ${twice === "" ? "empty" : "there twice, or is a byte"}; take others, such as <|endoftext|>`,
    );
  if (!Number.isInteger(vocabulary))
    throw new Problem(`the vocabulary is ${vocabulary}; take a whole number`);
  if (vocabulary < tokens.length)
    throw new Problem(
      `a vocabulary of ${vocabulary} has no room for all bytes; take ${tokens.length} or more`,
    );
  const numbers = new Map(tokens.map((token, i) => [token, i]));
  const merges: [string, string][] = [];
  const file = () => byteLevelFile(numbers, merges, special);
  const words = countWords(openTokenizer(file()).pre_tokenizer.pre_tokenize(text), numbers);
  const pairs = countPairs(words);
  while (numbers.size < vocabulary) {
    const best = mostFrequent(pairs);
    if (!best) break;
    const { left, right } = best;
    const token = tokens[left] + tokens[right];
    merges.push([tokens[left], tokens[right]]);
    // The same bytes can come about in two ways.
    const number = numbers.get(token) ?? tokens.push(token) - 1;
    numbers.set(token, number);
    for (const word of [...best.words]) {
      countPairsOf(word, -1, pairs);
      word.tokens = merged(word.tokens, left, right, number);
      countPairsOf(word, 1, pairs);
    }
  }
  return file();
}

function byteLevelFile(
  numbers: ReadonlyMap<string, number>,
  merges: TokenizerFile["model"]["merges"],
  special: readonly string[],
): TokenizerFile {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    added_tokens: special.map((content, id) => ({ id, content, special: true })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: "BPE", vocab: Object.fromEntries(numbers), merges },
  };
}

interface Word {
  tokens: number[];
  readonly count: number;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: Set<Word>;
}

/** Two tokens as one number; vocabularies are far below this. */
const PAIR = 2 ** 24;

/**
 * How byte-level vocabularies write the 256 bytes: what Latin-1 prints stands for itself, the others are the characters from
 * U+0100 on. In the order of the characters.
 */
function byteAlphabet(): string[] {
  const printed = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => (printed(byte) ? byte : 256 + others++))
    .sort((a, b) => a - b)
    .map((code) => String.fromCharCode(code));
}

function countWords(words: readonly string[], tokens: ReadonlyMap<string, number>): Word[] {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => ({ tokens: Array.from(word, (c) => tokens.get(c)!), count }));
}

function countPairs(words: readonly Word[]): Map<number, Pair> {
  const pairs = new Map<number, Pair>();
  for (const word of words) countPairsOf(word, 1, pairs);
  return pairs;
}

function countPairsOf(word: Word, sign: number, pairs: Map<number, Pair>): void {
  const { tokens, count } = word;
  for (let i = 1; i < tokens.length; i++) {
    const [left, right] = [tokens[i - 1], tokens[i]];
    const key = left * PAIR + right;
    let pair = pairs.get(key);
    if (!pair) pairs.set(key, (pair = { left, right, count: 0, words: new Set() }));
    pair.count += sign * count;
    if (sign > 0) pair.words.add(word);
    else pair.words.delete(word);
    if (pair.count === 0) pairs.delete(key);
  }
}

function mostFrequent(pairs: ReadonlyMap<number, Pair>): Pair | undefined {
  let best: Pair | undefined;
  let bestKey = 0;
  for (const [key, pair] of pairs)
    if (pair.count >= 2 && (!best || pair.count > best.count || (pair.count === best.count && key < bestKey)))
      [best, bestKey] = [pair, key];
  return best;
}

/** The tokens with each `left` before a `right` replaced, from the start. */
function merged(tokens: readonly number[], left: number, right: number, by: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < tokens.length; i++)
    if (tokens[i] === left && tokens[i + 1] === right) {
      out.push(by);
      i++;
    } else out.push(tokens[i]);
  return out;
}
