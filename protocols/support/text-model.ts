import type { Graph } from "../../src/engine/graph.ts";
import { input } from "../../src/engine/graph.ts";
import { crossEntropy } from "../../src/engine/operators/index.ts";
import { rebatch } from "../../src/engine/replay.ts";
import { createSession } from "../../src/engine/session.ts";
import { zeros } from "../../src/engine/tensor.ts";
import { normal, uniformFanIn } from "../../src/nn/initializers.ts";
import { decoder } from "../../src/nn/models/decoder.ts";
import { train } from "../../src/nn/trainer.ts";
import type { Objective } from "../../src/nn/training-step.ts";
import { trainingGraph } from "../../src/nn/training-step.ts";
import { Problem } from "../../src/problem.ts";
import { deriveSeed, random } from "../../src/random.ts";
import type { Footprint } from "../../src/sparsity/spectral/footprint.ts";
import type { RankMethod } from "../../src/sparsity/spectral/rank-methods.ts";
import { createRankMethod } from "../../src/sparsity/spectral/rank-methods.ts";
import type { Corpus, HeldOut } from "./text-corpus.ts";
import { HELD_OUT } from "./text-corpus.ts";

/** OPT's layout; a rank of 8 is 8.33 % of its width, as 64 is of OPT-125M's. Beginnings and clipping as in the spec's P2. */
export const TEXT_MODEL = {
  layout: "opt",
  vocabulary: 2048,
  context: 64,
  width: 96,
  heads: 4,
  mlpWidth: 384,
  blocks: 4,
} as const;
export const RANK = 8;
const BATCH = 16;
const EVALUATED = 32;

export interface TextJob {
  method: RankMethod;
  learningRate: number;
  seed: number;
  steps: number;
  /** Sparse Spectral Training always takes the largest singular values: the control. */
  largest?: boolean;
}

/** What a text costs: the sum over its tokens, in nats, how many they are, and the bytes they spell. */
export interface Cost {
  nats: number;
  tokens: number;
  bytes: number;
}

export interface TextResult {
  /** Undefined where training diverged. */
  costs?: Record<HeldOut, Cost>;
  footprint: Footprint;
  seconds: number;
}

const objective: Objective = ([logits], graph) => ({
  loss: crossEntropy(logits, input(graph, "labels", [logits.shape[0]], { dtype: "int32" })),
});

/** Windows of a text with the tokens that follow, in arrays that are used again. */
function windows(text: Uint16Array, rows: number) {
  const { context } = TEXT_MODEL;
  const feeds = { input: zeros([rows, context], "int32"), labels: zeros([rows * context], "int32") };
  return (startOf: (row: number) => number) => {
    for (let row = 0; row < rows; row++) {
      const start = startOf(row);
      feeds.input.data.set(text.subarray(start, start + context), row * context);
      feeds.labels.data.set(text.subarray(start + 1, start + context + 1), row * context);
    }
    return feeds;
  };
}

/** The cost of a text read in windows side by side; less than a batch of them at its end is left out. */
async function costOf(model: Graph, text: Uint16Array, bytes: Uint8Array): Promise<Cost> {
  const { graph, loss } = trainingGraph(rebatch(model, EVALUATED), objective);
  graph.outputs = [loss.name];
  const session = await createSession(graph, { threads: 1 });
  const at = windows(text, EVALUATED);
  const stride = EVALUATED * TEXT_MODEL.context;
  const cost = { nats: 0, tokens: 0, bytes: 0 };
  try {
    for (let start = 0; start + stride < text.length; start += stride) {
      const feeds = at((row) => start + row * TEXT_MODEL.context);
      cost.nats += stride * Number((await session.run(feeds))[loss.name].data[0]);
      cost.tokens += stride;
      cost.bytes += feeds.labels.data.reduce((sum, token) => sum + bytes[token], 0);
    }
  } finally {
    await session.release();
  }
  return cost;
}

/** Trains the model on one thread and says what the held-out texts cost it. */
export async function trainText(
  { method, learningRate, seed, steps, largest }: TextJob,
  { training, heldOut, bytes }: Corpus,
): Promise<TextResult> {
  const model = decoder({
    ...TEXT_MODEL,
    initializer: uniformFanIn,
    tableInitializer: normal(0.1),
    batch: BATCH,
    seed,
  });
  const sparsifier = createRankMethod(model, method, {
    rank: RANK,
    steps,
    spectral: largest ? { sampler: "top" } : undefined,
    seed,
  });
  const at = windows(training, BATCH);
  const start = process.cpuUsage();
  let diverged = false;
  try {
    await train(
      model,
      objective,
      {
        stepsPerEpoch: steps,
        *feeds(_, from) {
          for (let step = from; step < steps; step++) {
            const rng = random(deriveSeed(seed, "training", step));
            yield at(() => rng.integer(training.length - TEXT_MODEL.context));
          }
        },
      },
      {
        epochs: 1,
        optimizer: { kind: "adam" },
        learningRate,
        schedule: { kind: "cosine", floor: 0.1 },
        warmup: Math.ceil(steps / 20),
        clipNorm: 1,
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
  const costs: Partial<Record<HeldOut, Cost>> = {};
  for (const name of HELD_OUT) costs[name] = await costOf(model, heldOut[name], bytes);
  return { ...result, costs: costs as Record<HeldOut, Cost> };
}
