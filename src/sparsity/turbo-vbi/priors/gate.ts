import type { LineShape } from "../../lines.ts";
import { clip, softplus } from "../log-odds.ts";
import type { Chain } from "./chain.ts";
import { chainPass } from "./chain.ts";
import { lineScratch, logPartitionOfLine, passLine, writeLine } from "./line.ts";
import type { SupportPrior } from "./prior.ts";

/** Evidence on a gate sums over a line; e to this power still is a number. */
const GATE_LIMIT = 300;

export interface GatePrior extends SupportPrior {
  /** Log-odds of each gate given all evidence. */
  gates(evidence: Float64Array): Float64Array;
}

/**
 * A gate for every line: closed, all bits of the line are 0; open, they are a chain. The gates of a tile are a chain over
 * neighbouring lines themselves. A tree, so that messages are exact (turbovbi.md 3.3e).
 */
export function gatePrior(gate: Chain, weights: Chain, { tiles, rows, columns }: LineShape): GatePrior {
  const [gatePass, weightPass] = [chainPass(gate), chainPass(weights)];
  const along = lineScratch(columns);
  const across = lineScratch(rows);
  const ofLines = new Float64Array(tiles * rows);
  const toGates = new Float64Array(tiles * rows);
  const lineOf = (line: number) => ({ at: line * columns, stride: 1, length: columns });

  /** Messages between gates; the log-partition of all. `inside` is called with each line passed. */
  const passGates = (evidence: Float64Array, inside?: (line: number) => void) => {
    for (let line = 0; line < ofLines.length; line++) {
      passLine(weightPass, evidence, lineOf(line), along);
      ofLines[line] = logPartitionOfLine(along, columns);
      inside?.(line);
    }
    const limited = ofLines.slice();
    clip(limited, GATE_LIMIT);
    let sum = ofLines.reduce((total, r, i) => total + r - limited[i], 0);
    for (let tile = 0; tile < tiles; tile++) {
      const where = { at: tile * rows, stride: 1, length: rows };
      passLine(gatePass, limited, where, across);
      writeLine(across, toGates, where);
      sum += logPartitionOfLine(across, rows);
    }
    return sum;
  };
  return {
    extrinsic: (evidence, out) => {
      passGates(evidence, (line) => writeLine(along, out, lineOf(line)));
      for (let line = 0, i = 0; line < ofLines.length; line++) {
        const open = toGates[line] + ofLines[line];
        for (const end = i + columns; i < end; i++) out[i] -= softplus(softplus(evidence[i] + out[i]) - open);
      }
    },
    logPartition: (evidence) => passGates(evidence),
    gates: (evidence) => {
      passGates(evidence);
      return ofLines.map((r, i) => r + toGates[i]);
    },
  };
}
