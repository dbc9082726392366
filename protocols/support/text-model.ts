import type { Graph } from "../../src/engine/graph.ts";
import { normal, uniformFanIn } from "../../src/nn/initializers.ts";
import { nextToken, tokenCost, tokenSource } from "../../src/nn/language-model.ts";
import { decoder } from "../../src/nn/models/decoder.ts";
import { train } from "../../src/nn/trainer.ts";
import { Problem } from "../../src/problem.ts";
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

async function costOf(model: Graph, text: Uint16Array, bytes: Uint8Array): Promise<Cost> {
  const { loss, tokens } = await tokenCost(model, text, { batch: EVALUATED, threads: 1 });
  const spelt = text.subarray(1, tokens + 1).reduce((sum, token) => sum + bytes[token], 0);
  return { nats: loss * tokens, tokens, bytes: spelt };
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
  const source = tokenSource(model, training, { stepsPerEpoch: steps, seed });
  const start = process.cpuUsage();
  let diverged = false;
  try {
    await train(model, nextToken(), source, {
      epochs: 1,
      optimizer: { kind: "adam" },
      learningRate,
      schedule: { kind: "cosine", floor: 0.1 },
      warmup: Math.ceil(steps / 20),
      clipNorm: 1,
      threads: 1,
      sparsifier,
    });
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
