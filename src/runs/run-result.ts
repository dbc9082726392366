import type { EpochRecord } from "../nn/trainer.ts";
import type { Commit, LayerOutcome } from "../sparsity/k-anneal.ts";
import type { LayerPattern } from "../sparsity/pattern-report.ts";
import type { Footprint } from "../sparsity/spectral/footprint.ts";
import type { Recipe } from "./recipe.ts";

/** One line of metrics.jsonl. */
export interface MetricsLine extends EpochRecord {
  /** Seconds that training has taken so far, without the time between a kill and `--resume`. */
  seconds: number;
}

/** How a run ended; as JSON it is the file `result.json`. */
export interface RunResult {
  name: string;
  /** False where the signal stopped it. */
  finished: boolean;
  epochs: number;
  steps: number;
  /** Time that training took, over all its parts. */
  seconds: number;
  /** Of the last epoch. */
  metrics: Record<string, number>;
  /** How each layer came to its number of groups; null without a sparsifier. */
  sparsity: { layers: LayerOutcome[]; commit: Commit | null } | null;
  /** What training with less memory held between steps. */
  footprint?: Footprint;
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
