import type { Graph } from "../../src/engine/graph.ts";
import { input } from "../../src/engine/graph.ts";
import { crossEntropy, reshape, slice } from "../../src/engine/operators/index.ts";
import { rebatch } from "../../src/engine/replay.ts";
import { createSession } from "../../src/engine/session.ts";
import { zeros } from "../../src/engine/tensor.ts";
import { normal, uniformFanIn } from "../../src/nn/initializers.ts";
import { decoder } from "../../src/nn/models/decoder.ts";
import type { TrainingSource } from "../../src/nn/trainer.ts";
import { train } from "../../src/nn/trainer.ts";
import type { Objective } from "../../src/nn/training-step.ts";
import { trainingGraph } from "../../src/nn/training-step.ts";
import type { Random } from "../../src/random.ts";
import { deriveSeed, random } from "../../src/random.ts";
import type { Footprint } from "../../src/sparsity/spectral/footprint.ts";
import type { RankMethod, RankOptions } from "../../src/sparsity/spectral/rank-methods.ts";
import { createRankMethod } from "../../src/sparsity/spectral/rank-methods.ts";
import { truncateSpectra } from "../../src/sparsity/spectral/truncate.ts";

const VOCABULARY = 16;
const CONTEXT = 16;
const BATCH = 32;
const EVALUATED = 512;
/** Of the three tokens that may follow a pair. */
const PROBABILITIES = [0.6, 0.3, 0.1];
/** exp of the entropy of a token given the two before it: no model is below. */
export const FLOOR = Math.exp(-PROBABILITIES.reduce((a, p) => a + p * Math.log(p), 0));
export const SHARES = [1, 0.99, 0.97, 0.95, 0.93, 0.9, 0.85, 0.8];

export interface LanguageJob {
  method: RankMethod;
  learningRate: number;
  seed: number;
  steps: number;
  spectral?: Pick<NonNullable<RankOptions["spectral"]>, "gradient" | "decompose"> & {
    sampler?: "uniform" | "top";
  };
  /** Truncate the trained network. */
  truncate?: boolean;
}

export interface LanguageResult {
  perplexity: number;
  footprint: Footprint;
  seconds: number;
  /** By share of the sum of singular values: values kept, of all, and the perplexity with the layers merged. */
  truncation: { share: number; kept: number; perplexity: number }[];
}

/** Sequences in which three tokens may follow each ordered pair (sst.md P2). */
function sequences(seed: number) {
  const rng = random(deriveSeed(seed, "successors"));
  const successors = Array.from({ length: VOCABULARY ** 2 }, () => rng.permutation(VOCABULARY).slice(0, 3));
  return (draw: Random): number[] => {
    const tokens = [draw.integer(VOCABULARY), draw.integer(VOCABULARY)];
    while (tokens.length <= CONTEXT) {
      const [a, b] = tokens.slice(-2);
      const u = draw.uniform();
      const choice = u < PROBABILITIES[0] ? 0 : u < PROBABILITIES[0] + PROBABILITIES[1] ? 1 : 2;
      tokens.push(successors[a * VOCABULARY + b][choice]);
    }
    return tokens;
  };
}

function model(seed: number, batch: number): Graph {
  return decoder({
    layout: "opt",
    vocabulary: VOCABULARY,
    context: CONTEXT,
    width: 24,
    blocks: 2,
    heads: 2,
    mlpWidth: 96,
    tied: false,
    initializer: uniformFanIn,
    tableInitializer: normal(0.1),
    batch,
    seed,
  });
}

/** Next-token loss where two tokens of context are known. */
const objective: Objective = ([logits], graph) => {
  const rows = logits.shape[0] / CONTEXT;
  const known = slice(reshape(logits, [rows, CONTEXT, VOCABULARY]), { 1: { start: 1 } });
  const labels = input(graph, "labels", [rows * (CONTEXT - 1)], { dtype: "int32" });
  return { loss: crossEntropy(reshape(known, [-1, VOCABULARY]), labels) };
};

function batches(seed: number, stream: string, rows: number, steps: number): TrainingSource {
  const make = sequences(seed);
  const feeds = {
    input: zeros([rows, CONTEXT], "int32"),
    labels: zeros([rows * (CONTEXT - 1)], "int32"),
  };
  return {
    stepsPerEpoch: steps,
    *feeds(_, from) {
      for (let step = from; step < steps; step++) {
        const rng = random(deriveSeed(seed, stream, step));
        for (let row = 0; row < rows; row++) {
          const tokens = make(rng);
          feeds.input.data.set(tokens.slice(0, CONTEXT), row * CONTEXT);
          feeds.labels.data.set(tokens.slice(2), row * (CONTEXT - 1));
        }
        yield feeds;
      }
    },
  };
}

async function perplexity(graph: Graph, seed: number): Promise<number> {
  const { graph: scored, loss } = trainingGraph(rebatch(graph, EVALUATED), objective);
  scored.outputs = [loss.name];
  const session = await createSession(scored, { threads: 1 });
  try {
    const [feeds] = batches(seed, "evaluation", EVALUATED, 1).feeds(0, 0);
    return Math.exp(Number((await session.run(feeds))[loss.name].data[0]));
  } finally {
    await session.release();
  }
}

/** Trains the small language model of P2 at a rank of 1/12 of its width. */
export async function trainLanguage(job: LanguageJob): Promise<LanguageResult> {
  const { method, learningRate, seed, steps, spectral, truncate } = job;
  const network = model(seed, BATCH);
  const sparsifier = createRankMethod(network, method, {
    rank: 2,
    iterationSteps: 25,
    roundIterations: 12,
    warmup: 3,
    spectral,
    seed,
  });
  const start = process.cpuUsage();
  await train(network, objective, batches(seed, "training", BATCH, steps), {
    epochs: 1,
    optimizer: { kind: "adam" },
    learningRate,
    schedule: { kind: "cosine", floor: 0.1 },
    warmup: 100,
    clipNorm: 1,
    threads: 1,
    sparsifier,
  });
  const { user, system } = process.cpuUsage(start);
  const truncation = [];
  for (const share of truncate ? SHARES : []) {
    const { graph, layers } = truncateSpectra(network, { rule: { kind: "sum", share } });
    const kept = layers.reduce((a, l) => a + l.rank, 0) / layers.reduce((a, l) => a + l.of, 0);
    truncation.push({ share, kept, perplexity: await perplexity(graph, seed) });
  }
  return {
    perplexity: await perplexity(network, seed),
    footprint: sparsifier.footprint(),
    seconds: (user + system) / 1e6,
    truncation,
  };
}
