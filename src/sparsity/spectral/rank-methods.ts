import type { Graph } from "../../engine/graph.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { Problem } from "../../problem.ts";
import type { Clock } from "./clock.ts";
import type { Measured } from "./footprint.ts";
import { fullRank } from "./footprint.ts";
import { createGalore } from "./galore.ts";
import { createDora, createLora, createRelora } from "./lora.ts";
import { createLowRank } from "./low-rank.ts";
import type { SpectralOptions } from "./options.ts";
import type { SpectralTraining } from "./spectral-training.ts";
import { createSpectralTraining } from "./spectral-training.ts";

/** Ways to train with less memory than every weight's gradient and moments take, and full rank to compare them with. */
export const RANK_METHODS = {
  full: "every weight trains",
  sst: "Sparse Spectral Training: all singular values, a sampled few singular vectors at a time",
  lora: "LoRA: a product of low rank beside each fixed weight",
  dora: "DoRA: LoRA beside each fixed weight, and a length for each of its rows",
  relora: "ReLoRA*: LoRA whose product is added to the weight now and then",
  galore: "GaLore: Adam on a projection of each gradient",
  "low-rank": "a product of low rank in place of each weight, from the start",
} as const;

export type RankMethod = keyof typeof RANK_METHODS;

export interface RankOptions extends Partial<Clock> {
  rank: number;
  layers?: readonly string[] | ((weight: string) => boolean);
  /** Steps of the whole training. */
  steps?: number;
  /** What only Sparse Spectral Training has. */
  spectral?: Pick<
    SpectralOptions,
    "gradient" | "sampler" | "warmupScope" | "rates" | "weightDecay" | "decompose"
  >;
  seed?: number;
}

/** A method that says what it holds and, where it trains singular vectors by turns, how often each has had its turn. */
export type RankTraining = Sparsifier & Measured & Partial<Pick<SpectralTraining, "visits" | "cautions">>;

/** A method by name. Switches, merges and projections all follow the same clock. */
export function createRankMethod(
  model: Graph,
  method: RankMethod,
  { rank, layers, spectral, ...rest }: RankOptions,
): RankTraining {
  switch (method) {
    case "full":
      return fullRank();
    case "sst":
      return createSpectralTraining(model, { rank, layers, ...rest, ...spectral });
    case "lora":
      return createLora(model, { rank, layers, seed: rest.seed });
    case "dora":
      return createDora(model, { rank, layers, seed: rest.seed });
    case "relora":
      return createRelora(model, { rank, layers, ...rest });
    case "galore":
      return createGalore(model, { rank, layers, gap: rest.iterationSteps });
    case "low-rank":
      return createLowRank(model, { rank, layers });
    default:
      throw new Problem(
        `there is no method "${method}"; take one of ${Object.keys(RANK_METHODS).join(", ")}`,
      );
  }
}
