import type { EpochRecord } from "../nn/trainer.ts";
import type { Commit, LayerOutcome } from "../sparsity/k-anneal.ts";
import type { LayerPattern } from "../sparsity/pattern-report.ts";
import type { Footprint } from "../sparsity/spectral/footprint.ts";
import type { Visits } from "../sparsity/spectral/visits.ts";
import type { Recipe } from "./recipe.ts";

/** One line of metrics.jsonl. */
export interface MetricsLine extends EpochRecord {
  /** Seconds that training has taken so far, without the time between a kill and `--resume`. */
  seconds: number;
}

/** What training with less memory held and did, beside every weight's. */
export interface RunFootprint extends Footprint {
  /** Numbers that train at full rank. */
  parameters: number;
  /** Steps times the share of those that trained (Zhao et al., arXiv 2405.15481). */
  effectiveSteps: number;
  /** Of Sparse Spectral Training: what its singular vectors got out of the steps. */
  visits?: Visits;
  /** Bytes: the largest memory of the process until now, the data and what loaded them included. */
  peak: number;
}

/** How a run ended; as JSON it is the file `result.json`. */
export interface RunResult {
  name: string;
  /** False where the signal stopped it. */
  finished: boolean;
  epochs: number;
  /** With early stopping, once finished: the epoch, from 1, whose weights the model has. */
  bestEpoch?: number;
  steps: number;
  /** Time that training took, over all its parts. */
  seconds: number;
  /** Of the last epoch, or of the best where the model has its weights. */
  metrics: Record<string, number>;
  /** How each layer came to its number of groups; null without a sparsifier. */
  sparsity: { layers: LayerOutcome[]; commit: Commit | null } | null;
  /** With `lowMemory` in the recipe. */
  footprint?: RunFootprint;
  /** Which weights posteriors left of each layer, and figures right before and after the others became zero. */
  patterns?: LayerPattern[];
  commit?: Commit;
}

/** What the directory of a run says. */
export interface RunRecord {
  recipe: Recipe;
  lines: MetricsLine[];
  /** Undefined before the run is finished. */
  result: RunResult | undefined;
}
