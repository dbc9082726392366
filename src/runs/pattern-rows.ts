import type { LayerPattern } from "../sparsity/pattern-report.ts";
import { formatCount, formatShare, significant } from "./format.ts";
import type { LayerLatency } from "./layer-latency.ts";

/** What the zeros of one layer look like, and what the layer takes alone at batch 64; null where it has no sparse kernel. */
export interface TimedPattern extends LayerPattern {
  latencyMs: LayerLatency | null;
}

/** Headings of a table of patterns; the first column is text, the others are numbers. */
export const PATTERN_HEADINGS = [
  "layer",
  "weights",
  "in use",
  "density",
  "runs",
  "mean run",
  "live rows",
  "live columns",
  "index bits: runs",
  "CSR",
  "bitmap",
  "all bits",
  "MACs",
  "by weights in use",
  "dense",
  "zeros skipped",
] as const;

/** One row for each layer. Index bits are those for one weight in use; all bits are floats and their cheapest index; the last two are latencies of the layer alone. */
export function patternRows(patterns: readonly TimedPattern[]): string[][] {
  return patterns.map((l) => [
    l.name,
    formatCount(l.weights),
    formatCount(l.nonZeros),
    formatShare(l.density),
    formatCount(l.runs),
    significant(l.meanRun),
    formatCount(l.liveLines),
    formatCount(l.liveColumns),
    ...[l.indexBits.runs, l.indexBits.csr, l.indexBits.bitmap].map((bits) =>
      l.nonZeros ? (bits / l.nonZeros).toFixed(2) : "–",
    ),
    formatCount(l.totalBits),
    formatCount(l.macs),
    formatCount(Math.round(l.usedMacs)),
    ...[l.latencyMs?.dense, l.latencyMs?.sparse].map((ms) =>
      ms === undefined ? "–" : `${significant(ms)} ms`,
    ),
  ]);
}
