import type { Graph, Value } from "../../src/engine/graph.ts";
import { input } from "../../src/engine/graph.ts";
import { cast, crossEntropy, div, greater, mul, reduceSum } from "../../src/engine/operators/index.ts";
import { rebatch } from "../../src/engine/replay.ts";
import { createSession } from "../../src/engine/session.ts";
import { zeros } from "../../src/engine/tensor.ts";
import { translator } from "../../src/nn/models/translator.ts";
import { sacreBleu } from "../../src/nn/sacre-bleu.ts";
import { train } from "../../src/nn/trainer.ts";
import type { Objective } from "../../src/nn/training-step.ts";
import { trainingGraph } from "../../src/nn/training-step.ts";
import { Problem } from "../../src/problem.ts";
import { deriveSeed, random } from "../../src/random.ts";
import type { Footprint } from "../../src/sparsity/spectral/footprint.ts";
import type { RankMethod } from "../../src/sparsity/spectral/rank-methods.ts";
import { createRankMethod } from "../../src/sparsity/spectral/rank-methods.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import type { Pairs, PairsCorpus } from "./multi30k.ts";
import { BEGIN, END, PADDING } from "./multi30k.ts";

/** Width, heads, and the width of the MLPs are HyboNet's for translation. */
export const TRANSLATOR = {
  vocabulary: 2000,
  length: 32,
  width: 64,
  heads: 4,
  mlpWidth: 256,
  encoderBlocks: 3,
  decoderBlocks: 3,
  /** Position vectors of .02 stall small hyperbolic networks. */
  positionStd: 0.3,
} as const;
/** The paper's for this width. */
export const RANK = 8;
const BATCH = 32;
const TRANSLATED = 100;
const { length } = TRANSLATOR;

export interface TranslationJob {
  geometry: "euclidean" | "lorentz";
  method: RankMethod;
  learningRate: number;
  seed: number;
  steps: number;
}

export interface TranslationResult {
  /** Nats a token of the validation part; undefined where training diverged, as what follows. */
  loss?: number;
  /** Of the test part, translated greedily. */
  bleu?: number;
  /** Of the same translations, each beside the reference of the sentence after it: the control. */
  mismatched?: number;
  samples?: string[];
  footprint: Footprint;
  /** Processor time of training. */
  seconds: number;
}

/** Mean over the tokens that are no padding. */
const objective =
  (labelSmoothing: number): Objective =>
  ([logits], graph) => {
    const labels = input(graph, "labels", [logits.shape[0]], { dtype: "int32" });
    const counted: Value = cast(greater(labels, PADDING), "float32");
    const losses = crossEntropy(logits, labels, { labelSmoothing, reduction: "none" });
    return { loss: div(reduceSum(mul(losses, counted)), reduceSum(counted)) };
  };

function allocate(rows: number) {
  return {
    source: zeros([rows, length], "int32"),
    target: zeros([rows, length], "int32"),
    labels: zeros([rows * length], "int32"),
  };
}

/** Writes a pair into a row; what is too long is cut. */
function place(
  feeds: ReturnType<typeof allocate>,
  row: number,
  source: readonly number[],
  target: readonly number[],
): void {
  const padded = (tokens: readonly number[]) => Int32Array.from({ length }, (_, i) => tokens[i] ?? PADDING);
  feeds.source.data.set(padded([...source.slice(0, length - 1), END]), row * length);
  feeds.target.data.set(padded([BEGIN, ...target]), row * length);
  feeds.labels.data.set(padded([...target, END]), row * length);
}

async function validationLoss(model: Graph, { source, target }: Pairs): Promise<number> {
  const { graph, loss } = trainingGraph(rebatch(model, TRANSLATED), objective(0));
  graph.outputs = [loss.name];
  const session = await createSession(graph, { threads: 1 });
  const feeds = allocate(TRANSLATED);
  let [nats, tokens] = [0, 0];
  try {
    for (let start = 0; start + TRANSLATED <= source.length; start += TRANSLATED) {
      for (let row = 0; row < TRANSLATED; row++) place(feeds, row, source[start + row], target[start + row]);
      const counted = feeds.labels.data.reduce((n, label) => n + Number(label !== PADDING), 0);
      nats += counted * Number((await session.run(feeds))[loss.name].data[0]);
      tokens += counted;
    }
  } finally {
    await session.release();
  }
  return nats / tokens;
}

/** Translates greedily, so many sentences at a time (a divisor of how many there are). */
async function translateAll(model: Graph, sources: readonly number[][]): Promise<number[][]> {
  const session = await createSession(rebatch(model, TRANSLATED), { threads: 1 });
  const translations: number[][] = [];
  const feeds = allocate(TRANSLATED);
  const { source, target } = feeds;
  try {
    for (let start = 0; start < sources.length; start += TRANSLATED) {
      for (let row = 0; row < TRANSLATED; row++) place(feeds, row, sources[start + row], []);
      const said: number[][] = Array.from({ length: TRANSLATED }, () => []);
      const open = new Set(said.keys());
      for (let at = 0; at < length && open.size > 0; at++) {
        const { data } = (await session.run({ source, target }))[model.outputs[0]];
        for (const row of open) {
          const from = (row * length + at) * TRANSLATOR.vocabulary;
          const logits = data.subarray(from, from + TRANSLATOR.vocabulary) as Float32Array;
          const token = logits.reduce((best, v, i) => (v > logits[best] ? i : best), 0);
          if (token === END) open.delete(row);
          else said[row].push(token);
          if (at + 1 < length) target.data[row * length + at + 1] = token;
        }
      }
      translations.push(...said);
    }
  } finally {
    await session.release();
  }
  return translations;
}

/** Trains a translator on one thread, and has it translate the test part. */
export async function trainTranslator(
  { geometry, method, learningRate, seed, steps }: TranslationJob,
  { tokenizer, training, validation, test, references }: PairsCorpus,
): Promise<TranslationResult> {
  const { vocabulary, length: _, ...sizes } = TRANSLATOR;
  const model = translator({
    geometry,
    ...sizes,
    sourceVocabulary: vocabulary,
    targetVocabulary: vocabulary,
    sourceLength: length,
    targetLength: length,
    padding: PADDING,
    batch: BATCH,
    seed,
  });
  const sparsifier = createRankMethod(model, method, { rank: RANK, steps, seed });
  const fitting = [...training.source.keys()].filter(
    (i) => Math.max(training.source[i].length, training.target[i].length) < length,
  );
  const feeds = allocate(BATCH);
  const start = process.cpuUsage();
  let diverged = false;
  try {
    await train(
      model,
      objective(0.1),
      {
        stepsPerEpoch: steps,
        *feeds(_, from) {
          for (let step = from; step < steps; step++) {
            const rng = random(deriveSeed(seed, "training", step));
            for (let row = 0; row < BATCH; row++) {
              const i = fitting[rng.integer(fitting.length)];
              place(feeds, row, training.source[i], training.target[i]);
            }
            yield feeds;
          }
        },
      },
      {
        epochs: 1,
        optimizer: { kind: "adam" },
        learningRate,
        schedule: { kind: "inverse-root" },
        // HyboNet's share of its 40 000 steps.
        warmup: Math.ceil(0.15 * steps),
        clipNorm: 0.5,
        threads: 1,
        sparsifier,
      },
    );
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    diverged = true;
  }
  const { user, system } = process.cpuUsage(start);
  const result = { footprint: sparsifier.footprint(), seconds: (user + system) / 1e6 };
  if (diverged) return result;
  const { decode } = createTokenizer(tokenizer);
  const translations = (await translateAll(model, test.source)).map((tokens) => decode(tokens));
  const score = (shift: number) =>
    sacreBleu(
      translations,
      translations.map((_, i) => [references[(i + shift) % references.length]]),
    );
  return {
    ...result,
    loss: await validationLoss(model, validation),
    bleu: score(0),
    mismatched: score(1),
    samples: translations.slice(0, 3),
  };
}
