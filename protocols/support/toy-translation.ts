import type { Graph } from "../../src/engine/graph.ts";
import { input } from "../../src/engine/graph.ts";
import { crossEntropy } from "../../src/engine/operators/index.ts";
import { rebatch } from "../../src/engine/replay.ts";
import { createSession } from "../../src/engine/session.ts";
import { zeros } from "../../src/engine/tensor.ts";
import { corpusBleu } from "../../src/nn/bleu.ts";
import { translator } from "../../src/nn/models/translator.ts";
import { train } from "../../src/nn/trainer.ts";
import type { Random } from "../../src/random.ts";
import { deriveSeed, random } from "../../src/random.ts";
import type { RankMethod } from "../../src/sparsity/spectral/rank-methods.ts";
import { createRankMethod } from "../../src/sparsity/spectral/rank-methods.ts";

const VOCABULARY = 20;
const LENGTH = 6;
const BATCH = 48;
const CLASSES = 4;

export interface TranslationJob {
  geometry: "euclidean" | "lorentz";
  method: RankMethod;
  learningRate: number;
  steps: number;
  seed: number;
}

export interface TranslationResult {
  bleu: number;
  trainable: number;
  seconds: number;
}

/**
 * The toy pair of P5: six words, 0 is the begin symbol; the translation runs backwards, and each word has the meaning that
 * one of four tables gives it, by the class of the word before it in the source.
 */
function language(seed: number): (rng: Random) => { source: number[]; target: number[] } {
  const rng = random(deriveSeed(seed, "language"));
  const tables = Array.from({ length: CLASSES }, () =>
    [...rng.permutation(VOCABULARY - 1)].map((w) => w + 1),
  );
  const classes = Array.from({ length: VOCABULARY }, () => rng.integer(CLASSES));
  return (draw) => {
    const source = Array.from({ length: LENGTH }, () => 1 + draw.integer(VOCABULARY - 1));
    const target = source.map((word, i) => tables[classes[source[i - 1] ?? 0]][word - 1]).reverse();
    return { source, target };
  };
}

/** Sentences with the words translated so far and the next ones. */
function allocate(rows: number) {
  return {
    source: zeros([rows, LENGTH], "int32"),
    target: zeros([rows, LENGTH], "int32"),
    labels: zeros([rows * LENGTH], "int32"),
  };
}

/** Greedy translations of 300 fresh sentences against what they should be. */
async function score(model: Graph, seed: number): Promise<number> {
  const rows = 300;
  const make = language(seed);
  const rng = random(deriveSeed(seed, "test"));
  const pairs = Array.from({ length: rows }, () => make(rng));
  const { source, target } = allocate(rows);
  pairs.forEach((p, row) => {
    source.data.set(p.source, row * LENGTH);
  });
  const session = await createSession(rebatch(model, rows), { threads: 1 });
  const said: number[][] = pairs.map(() => []);
  try {
    for (let place = 0; place < LENGTH; place++) {
      const logits = (await session.run({ source, target }))[model.outputs[0]].data as Float32Array;
      for (let row = 0; row < rows; row++) {
        const at = (row * LENGTH + place) * VOCABULARY;
        const scores = logits.subarray(at, at + VOCABULARY);
        said[row].push(scores.indexOf(Math.max(...scores)));
        if (place + 1 < LENGTH) target.data[row * LENGTH + place + 1] = said[row][place];
      }
    }
  } finally {
    await session.release();
  }
  return corpusBleu(
    said,
    pairs.map((p) => [p.target]),
  );
}

export async function translate(job: TranslationJob): Promise<TranslationResult> {
  const { geometry, method, learningRate, steps, seed } = job;
  const model = translator({
    geometry,
    sourceVocabulary: VOCABULARY,
    targetVocabulary: VOCABULARY,
    sourceLength: LENGTH,
    targetLength: LENGTH,
    positions: LENGTH + 1,
    width: 24,
    heads: 2,
    mlpWidth: 48,
    encoderBlocks: 1,
    decoderBlocks: 1,
    positionStd: 0.3,
    batch: BATCH,
    seed,
  });
  const sparsifier = createRankMethod(model, method, {
    rank: 2,
    iterationSteps: 25,
    roundIterations: 12,
    warmup: 3,
    seed,
  });
  const make = language(seed);
  const feeds = allocate(BATCH);
  const start = process.cpuUsage();
  await train(
    model,
    ([logits], graph) => ({
      loss: crossEntropy(logits, input(graph, "labels", [logits.shape[0]], { dtype: "int32" })),
    }),
    {
      stepsPerEpoch: steps,
      *feeds(_, from) {
        for (let step = from; step < steps; step++) {
          const rng = random(deriveSeed(seed, "training", step));
          for (let row = 0; row < BATCH; row++) {
            const { source, target } = make(rng);
            feeds.source.data.set(source, row * LENGTH);
            feeds.target.data.set([0, ...target.slice(0, -1)], row * LENGTH);
            feeds.labels.data.set(target, row * LENGTH);
          }
          yield feeds;
        }
      },
    },
    {
      epochs: 1,
      optimizer: { kind: "adam" },
      learningRate,
      schedule: { kind: "cosine", floor: 0.1 },
      warmup: 50,
      clipNorm: 1,
      threads: 1,
      sparsifier,
    },
  );
  const { user, system } = process.cpuUsage(start);
  return {
    bleu: await score(model, seed),
    trainable: sparsifier.footprint().trainable,
    seconds: (user + system) / 1e6,
  };
}
