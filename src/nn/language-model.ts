import type { Graph } from "../engine/graph.ts";
import { input } from "../engine/graph.ts";
import { crossEntropy } from "../engine/operators/index.ts";
import { rebatch } from "../engine/replay.ts";
import type { SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import { zeros } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { deriveSeed, random } from "../random.ts";
import type { TrainingSource } from "./trainer.ts";
import type { Objective } from "./training-step.ts";
import { trainingGraph } from "./training-step.ts";

/** Tokens one after the other, as a tokenizer's `encode` gives them. */
export type Tokens = ArrayLike<number>;

/** The mean cross-entropy of the next token at every position: of logits [batch·context, vocabulary] and `labels`, which are fed. */
export function nextToken(): Objective {
  return ([logits], graph) => ({
    loss: crossEntropy(logits, input(graph, "labels", [logits.shape[0]], { dtype: "int32" })),
  });
}

export interface TokenSourceOptions {
  stepsPerEpoch: number;
  seed: number;
}

/**
 * Windows of a text for a model of int32 tokens [batch, context], at places drawn anew in every step, with the tokens that
 * follow as `labels`. Throws a `Problem` for a text that is too short, or has tokens that the model does not.
 */
export function tokenSource(
  model: Graph,
  tokens: Tokens,
  { stepsPerEpoch, seed }: TokenSourceOptions,
): TrainingSource {
  const { context, feedsAt } = windows(model, tokens);
  return {
    stepsPerEpoch,
    *feeds(epoch, from) {
      for (let step = from; step < stepsPerEpoch; step++) {
        const rng = random(deriveSeed(seed, "training", epoch * stepsPerEpoch + step));
        yield feedsAt(() => rng.integer(tokens.length - context));
      }
    },
  };
}

export interface TokenCost {
  /** Mean over the tokens, in nats: its exponential is the perplexity. */
  loss: number;
  perplexity: number;
  /** Tokens foretold: the second of the text and those that follow, but for what fills no batch at its end. */
  tokens: number;
}

/**
 * What a text costs a model, read in windows side by side: each begins anew, so that its first tokens are foretold from few.
 *
 * @param options.batch Windows at a time. Default 1: hardly anything is left out.
 */
export async function tokenCost(
  model: Graph,
  tokens: Tokens,
  { batch = 1, ...options }: SessionOptions & { batch?: number } = {},
): Promise<TokenCost> {
  const sized = rebatch(model, batch);
  const { context, feedsAt } = windows(sized, tokens);
  const stride = batch * context;
  if (tokens.length <= stride)
    throw new Problem(
      `a text of ${tokens.length} tokens; ${batch} windows of ${context} take ${stride + 1}; take a smaller batch or a longer text`,
    );
  const { graph, loss } = trainingGraph(sized, nextToken());
  graph.outputs = [loss.name];
  const session = await createSession(graph, options);
  let [nats, count] = [0, 0];
  try {
    for (let start = 0; start + stride < tokens.length; start += stride) {
      const feeds = feedsAt((row) => start + row * context);
      nats += stride * Number((await session.run(feeds))[loss.name].data[0]);
      count += stride;
    }
  } finally {
    await session.release();
  }
  return { loss: nats / count, perplexity: Math.exp(nats / count), tokens: count };
}

/** Windows of a text with the tokens that follow, in arrays that are used again. */
function windows(model: Graph, tokens: Tokens) {
  const [name] = model.inputs;
  const { shape, dtype } = model.types.get(name)!;
  const [batch, context] = shape;
  const [rows, vocabulary] = model.types.get(model.outputs[0])!.shape;
  if (dtype !== "int32" || shape.length !== 2 || rows !== batch * context)
    throw new Problem(
      `the model takes ${dtype}[${shape}] and gives [${model.types.get(model.outputs[0])!.shape}]; expected int32 tokens [batch, context] and logits [batch·context, vocabulary]`,
    );
  if (tokens.length <= context)
    throw new Problem(`a text of ${tokens.length} tokens; the model reads ${context} and foretells one more`);
  for (let i = 0; i < tokens.length; i++)
    if (!(tokens[i] >= 0 && tokens[i] < vocabulary))
      throw new Problem(`token ${i} of the text is ${tokens[i]}; the model has ${vocabulary}, from 0`);
  const [x, labels] = [zeros([batch, context], "int32"), zeros([batch * context], "int32")];
  const feeds = { [name]: x, labels };
  const feedsAt = (startOf: (row: number) => number) => {
    for (let row = 0; row < batch; row++) {
      const start = startOf(row);
      for (let i = 0; i < context; i++) {
        x.data[row * context + i] = tokens[start + i];
        labels.data[row * context + i] = tokens[start + i + 1];
      }
    }
    return feeds;
  };
  return { context, feedsAt };
}
