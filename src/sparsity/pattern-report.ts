import type { Graph } from "../engine/graph.ts";
import { accountModel } from "./accounting.ts";
import type { ConvolutionLayout } from "./lines.ts";
import { findWeights, toLines } from "./lines.ts";
import type { PatternStatistics } from "./runs.ts";
import { patternStatistics } from "./runs.ts";

/** What the zeros of one layer look like, and what it takes to store the rest. */
export interface LayerPattern extends PatternStatistics {
  name: string;
  density: number;
  /** Weights in use over runs; 0 where there are none. */
  meanRun: number;
  /** Multiply-accumulates of one sample, zeros included, and those of weights in use. */
  macs: number;
  usedMacs: number;
  valueBits: number;
  /** Values and the cheapest of the index codes. */
  totalBits: number;
}

/**
 * Patterns of all linear layers and convolutions, by the weights that are exactly zero.
 *
 * @param bitsPerValue Of a stored weight; 32 for floats.
 */
export function patternReport(
  graph: Graph,
  { bitsPerValue = 32, convolutions }: { bitsPerValue?: number; convolutions?: ConvolutionLayout } = {},
): LayerPattern[] {
  const costs = new Map(accountModel(graph).layers.map((l) => [l.name, l.macs]));
  return findWeights(graph, convolutions).map((layout) => {
    const { name, parameter, shape } = layout;
    const lines = toLines(graph.parameters.get(parameter)!.data, layout);
    const mask = Uint8Array.from(lines, (w) => Number(w !== 0));
    const statistics = patternStatistics({ lines: shape.tiles * shape.rows, columns: shape.columns, mask });
    const { nonZeros, runs, weights, indexBits } = statistics;
    const macs = costs.get(name) ?? 0;
    const valueBits = nonZeros * bitsPerValue;
    return {
      name,
      ...statistics,
      density: nonZeros / weights,
      meanRun: runs === 0 ? 0 : nonZeros / runs,
      macs,
      usedMacs: (macs * nonZeros) / weights,
      valueBits,
      totalBits: valueBits + Math.min(...Object.values(indexBits)),
    };
  });
}

/** Multiply-accumulates of one sample without those by weights that are zero. */
export function usedMacs(graph: Graph): number {
  const idle = patternReport(graph).reduce((sum, { macs, usedMacs: used }) => sum + macs - used, 0);
  return accountModel(graph).total.macs - idle;
}
