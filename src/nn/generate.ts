import type { Graph } from "../engine/graph.ts";
import type { SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { zeros } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import type { Random } from "../random.ts";
import { deriveSeed, random } from "../random.ts";
import { cachedDecoder } from "./models/cached-decoder.ts";
import type { DecoderOptions } from "./models/decoder.ts";

export interface GenerateOptions {
  /** How many to add to the prompt; the two together fill the model's context at most. */
  tokens: number;
  /** Of the draw: logits are divided by it. Default 0: no draw, always the likeliest token. */
  temperature?: number;
  /** Draw among this many of the likeliest tokens. Default all. */
  topK?: number;
  /** Draw among the fewest of the likeliest whose probabilities sum up to this (Holtzman et al. 2020, section 3.1). Default 1: all. */
  topP?: number;
  seed?: number;
  /** The last token to make, where it comes before there are `tokens`. */
  stop?: number;
}

export interface Generator {
  /**
   * The tokens that follow the prompt, each as soon as it is known. One call at a time: another is refused with a `Problem` until
   * the one before has ended, or was left by `break` or `return()`.
   */
  generate(prompt: readonly number[], options: GenerateOptions): AsyncGenerator<number, void>;
  release(): Promise<void>;
}

/**
 * Opens a trained `decoder` for making text, or what pruning and truncation left of one: each token is computed once, and its
 * keys and values are kept for those after it. `options` are those that the decoder was made with, where they are to be
 * checked. Throws a `Problem` where the model's parameters, heads or first position tell that it is of others, or where it is
 * no decoder.
 */
export async function createGenerator(
  model: Graph,
  options?: DecoderOptions,
  session?: SessionOptions,
): Promise<Generator> {
  const next = await openCachedDecoder(model, options, session);
  const { context, vocabulary } = next;
  let busy = false;
  return {
    async *generate(prompt, { tokens, temperature = 0, topK = vocabulary, topP = 1, seed = 0, stop }) {
      check(prompt, { tokens, temperature, topK, topP }, vocabulary);
      if (prompt.length + tokens > context)
        throw new Problem(
          `${prompt.length} tokens of prompt and ${tokens} more are above the model's context of ${context}; ask for ${Math.max(0, context - prompt.length)} or shorten the prompt`,
        );
      if (busy)
        throw new Problem(
          "the generator is at another text; take that to its end or return() it, or open a second generator",
        );
      busy = true;
      try {
        const rng = random(deriveSeed(seed, "generate"));
        // The caller may add what is made to the prompt.
        const given = [...prompt];
        let logits = await next.read(given, 0);
        for (let made = 0; made < tokens; made++) {
          if (!logits.every(Number.isFinite))
            throw new Problem(
              `after ${given.length + made} tokens the model's logits are no numbers; its training has diverged`,
            );
          const token = drawToken(logits, { temperature, topK, topP }, rng);
          yield token;
          if (token === stop || made === tokens - 1) return;
          logits = await next.read([token], given.length + made);
        }
      } finally {
        busy = false;
      }
    },
    release: next.release,
  };
}

function check(
  prompt: readonly number[],
  { tokens, temperature, topK, topP }: Required<Omit<GenerateOptions, "seed" | "stop">>,
  vocabulary: number,
): void {
  if (prompt.length === 0) throw new Problem("an empty prompt has no next token; begin with one at least");
  const foreign = prompt.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabulary));
  if (foreign !== undefined)
    throw new Problem(
      `the prompt has the token ${foreign}; the model knows 0 to ${vocabulary - 1}: take its own tokenizer`,
    );
  if (!(Number.isInteger(tokens) && tokens >= 0))
    throw new Problem(`tokens is ${tokens}; take a whole number of at least 0`);
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    throw new Problem(`temperature is ${temperature}; take a number of at least 0`);
  if (!(Number.isInteger(topK) && topK > 0))
    throw new Problem(`topK is ${topK}; take a whole number above 0`);
  if (!(topP > 0 && topP <= 1)) throw new Problem(`topP is ${topP}; take a number above 0 and at most 1`);
}

/** A decoder that goes on from the tokens it has been given. */
export interface CachedDecoder {
  /** How many tokens there can be. */
  context: number;
  vocabulary: number;
  /**
   * Logits [vocabulary] of what follows `tokens`, one at least, the first of them at `position`; everything before that has been
   * given. Many are read at once. The array is used again.
   */
  read(tokens: readonly number[], position: number): Promise<Float32Array>;
  release(): Promise<void>;
}

/** Tokens that are read at once. */
const CHUNK = 64;
/** From how many tokens on that is faster than one after the other. */
const MANY = 8;

export async function openCachedDecoder(
  model: Graph,
  options?: DecoderOptions,
  session?: SessionOptions,
): Promise<CachedDecoder> {
  const decoderOf = (count: number) => cachedDecoder(model, options && { ...options, batch: 1 }, count);
  const single = await openReader(decoderOf(1), session);
  const [, own] = model.types.get(model.inputs[0])!.shape;
  const chunk = Math.min(CHUNK, own - 1);
  let several: Reader | undefined;
  return {
    context: options?.context ?? own,
    vocabulary: single.vocabulary,
    read: async (tokens, position) => {
      let logits: Float32Array = new Float32Array(0);
      for (let from = 0; from < tokens.length; ) {
        const left = tokens.length - from;
        const many = left >= MANY && chunk >= MANY;
        // Parameters are fed, so that there is no second copy of them.
        if (many)
          several ??= await openReader(decoderOf(chunk), { ...session, feedParameters: true }, single.pasts);
        const next = tokens.slice(from, from + (many ? chunk : 1));
        logits = await (many ? several! : single).read(next, position + from, own);
        from += next.length;
      }
      return logits;
    },
    release: async () => {
      await Promise.all([single.release(), several?.release()]);
    },
  };
}

/** A cached decoder for some number of tokens at once. */
interface Reader {
  vocabulary: number;
  pasts: Record<string, Tensor>;
  read(tokens: readonly number[], position: number, context: number): Promise<Float32Array>;
  release(): Promise<void>;
}

/** Compiles a `cachedDecoder`, which keeps keys and values in `pasts`, by default its own. */
async function openReader(
  graph: Graph,
  session: SessionOptions | undefined,
  pasts?: Record<string, Tensor>,
): Promise<Reader> {
  const allocate = (names: readonly string[]): Record<string, Tensor> =>
    Object.fromEntries(
      names.map((name) => [name, zeros(graph.types.get(name)!.shape, graph.types.get(name)!.dtype)]),
    );
  const [ids, position, ...names] = graph.inputs;
  const kept = pasts ?? allocate(names);
  const feeds = { ...allocate([ids, position]), ...kept };
  const results = allocate(graph.outputs);
  const [logits] = graph.outputs;
  const vocabulary = results[logits].shape[1];
  const { run, release } = await createSession(graph, session);
  return {
    vocabulary,
    pasts: kept,
    read: async (tokens, first, context) => {
      // What fills up comes later and changes nothing, but its positions have to be in the tables.
      for (let i = 0; i < feeds[ids].data.length; i++) {
        feeds[ids].data[i] = tokens[i] ?? 0;
        feeds[position].data[i] = Math.min(first + i, context - 1);
      }
      await run(feeds, results);
      for (const name of names)
        keep(kept[name], results[name.replace("past", "present")], first, tokens.length);
      const end = tokens.length * vocabulary;
      return (results[logits].data as Float32Array).subarray(end - vocabulary, end);
    },
    release,
  };
}

/** Copies the first `count` rows of each head into the rows of the past from `position` on. */
function keep(past: Tensor, present: Tensor, position: number, count: number): void {
  const [, heads, context, size] = past.shape;
  const own = present.shape[2];
  const rows = present.data as Float32Array;
  for (let h = 0; h < heads; h++)
    (past.data as Float32Array).set(
      rows.subarray(h * own * size, (h * own + count) * size),
      (h * context + position) * size,
    );
}

/**
 * Draws by softmax(logits/temperature) among the `topK` likeliest, of these among the fewest that have the share `topP` of the
 * probability; temperature 0 gives the likeliest, of equals the first.
 */
export function drawToken(
  logits: Float32Array,
  { temperature, topK, topP }: Required<Pick<GenerateOptions, "temperature" | "topK" | "topP">>,
  rng: Random,
): number {
  const likeliest = logits.reduce((best, v, i) => (v > logits[best] ? i : best), 0);
  if (temperature === 0) return likeliest;
  const tokens = Array.from(logits.keys())
    .sort((a, b) => logits[b] - logits[a] || a - b)
    .slice(0, topK);
  const weights = tokens.map((i) => Math.exp((logits[i] - logits[likeliest]) / temperature));
  const all = weights.reduce((a, w) => a + w, 0);
  let [count, sum] = [0, 0];
  while (count < weights.length && sum < topP * all) sum += weights[count++];
  let left = rng.uniform() * sum;
  for (let i = 0; i < count; i++) if ((left -= weights[i]) < 0) return tokens[i];
  return tokens[count - 1];
}
