import * as library from "@huggingface/tokenizers";
import { Problem } from "../problem.ts";

/** A `tokenizer.json`: what `trainBytePairs` makes and what published language models come with. */
export interface TokenizerFile {
  readonly version: string;
  readonly model: {
    readonly type: string;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly [string, string])[];
  };
  readonly added_tokens: readonly {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
  }[];
  readonly [part: string]: unknown;
}

export interface Tokenizer {
  /** Tokens that there are. */
  readonly vocabulary: number;
  encode(text: string): number[];
  /** The text that tokens spell, without those that it does not know. Bytes that are no UTF-8 become U+FFFD. */
  decode(tokens: readonly number[]): string;
  /** The number of a token by its content, e.g. of `<|endoftext|>`. */
  token(content: string): number | undefined;
}

/** A tokenizer from a parsed `tokenizer.json`. Throws a `Problem` where it is none. */
export function createTokenizer(file: TokenizerFile): Tokenizer {
  const opened = openTokenizer(file);
  return {
    vocabulary: opened.get_vocab().size,
    encode: (text) => opened.encode(text, { add_special_tokens: false }).ids,
    decode: (tokens) => {
      const wrong = tokens.find((token) => !(Number.isInteger(token) && token >= 0));
      if (wrong !== undefined) throw new Problem(`${wrong} is no token; tokens are whole numbers from 0`);
      return tokens.length > 0 ? opened.decode([...tokens]) : "";
    },
    token: (content) => opened.token_to_id(content),
  };
}

/** What is used of the library's tokenizer; its own types cannot be found by how TypeScript looks for modules in Node. */
export interface OpenedTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(tokens: number[]): string;
  get_vocab(): ReadonlyMap<string, number>;
  token_to_id(content: string): number | undefined;
  pre_tokenizer: { pre_tokenize(text: string): string[] };
}

export function openTokenizer(file: TokenizerFile): OpenedTokenizer {
  try {
    return new library.Tokenizer(file, { clean_up_tokenization_spaces: false });
  } catch (error) {
    throw new Problem(
      `not a tokenizer that can be read: ${(error as Error).message}; take the tokenizer.json of a model`,
    );
  }
}
