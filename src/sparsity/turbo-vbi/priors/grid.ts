import { Problem } from "../../../problem.ts";
import type { LineShape } from "../../lines.ts";
import { logit } from "../log-odds.ts";
import type { Chain } from "./chain.ts";
import { chainPass } from "./chain.ts";
import type { LinePass } from "./line.ts";
import { lineScratch, passLine, writeLine } from "./line.ts";
import { probability } from "./parameters.ts";
import type { SupportPrior } from "./prior.ts";

export interface SweepOptions {
  /** Most sweeps over rows and columns. Default 10. */
  sweeps?: number;
  /** Largest change of a message at which they end. Default 1e-4. */
  tolerance?: number;
}

/** A chain along every row times a chain along every column. The sparsity of both multiplies: see turbovbi.md 3.3d. */
export function productOfChains(
  row: Chain,
  column: Chain,
  shape: LineShape,
  options?: SweepOptions,
): SupportPrior {
  return gridPrior({ row: chainPass(row), column: chainPass(column), field: 0 }, shape, options);
}

export interface Ising {
  /** Coupling of neighbours down a column and along a row, not negative. */
  down: number;
  along: number;
  /** θ, the log-odds of a bit among neighbours without opinion; see `isingField`. */
  field: number;
}

/** p(s) ∝ exp(θ Σ s + J₀ Σ gg′ over neighbours in columns + J₁ Σ gg′ in rows), g = 2s − 1. */
export function isingPrior(
  { down, along, field }: Ising,
  shape: LineShape,
  options?: SweepOptions,
): SupportPrior {
  return gridPrior({ row: isingPass(along), column: isingPass(down), field }, shape, options);
}

/** Log-odds that a neighbour with log-odds x sends over an edge of coupling J: 2·atanh(tanh J · tanh(x/2)). */
export function isingMessage(coupling: number, x: number): number {
  return 2 * Math.atanh(Math.tanh(coupling) * Math.tanh(x / 2));
}

/**
 * The θ at which a large grid has this density, by belief propagation. Throws a `Problem` where it is not negative: then
 * the phase with everything on is the likelier one, and the sparse one is metastable.
 */
export function isingField(density: number, down: number, along: number): number {
  const logOdds = logit(probability("density", density));
  const [m0, m1] = [down, along].map((coupling) => {
    let m = 0;
    for (let i = 0; i < 500; i++) m = (m + isingMessage(coupling, logOdds - m)) / 2;
    return m;
  });
  const field = logOdds - 2 * m0 - 2 * m1;
  if (field >= 0)
    throw new Problem(
      `turbo-vbi: couplings ${down} and ${along} do not go with density ${density}: neighbours would switch everything on; take weaker ones, or gates`,
    );
  return field;
}

function isingPass(coupling: number): LinePass {
  const c = Math.exp(2 * coupling);
  return { start: 1, forward: [1, c, c, 1], backward: [1, c, c, 1] };
}

/** Loopy belief propagation by exact passes over all rows and all columns in turn. */
function gridPrior(
  { row, column, field }: { row: LinePass; column: LinePass; field: number },
  { tiles, rows, columns }: LineShape,
  { sweeps = 10, tolerance = 1e-4 }: SweepOptions = {},
): SupportPrior {
  const scratch = lineScratch(Math.max(rows, columns));
  const size = tiles * rows * columns;
  const [fromRows, fromColumns, sent] = [0, 0, 0].map(() => new Float64Array(size));
  return {
    extrinsic: (evidence, out) => {
      fromColumns.fill(0);
      out.fill(Number.POSITIVE_INFINITY);
      let change = Number.POSITIVE_INFINITY;
      for (let sweep = 0; sweep < sweeps && change > tolerance; sweep++) {
        for (let i = 0; i < size; i++) sent[i] = evidence[i] + field + fromColumns[i];
        for (let line = 0; line < tiles * rows; line++)
          passAlong(row, { at: line * columns, stride: 1, length: columns }, fromRows);
        for (let i = 0; i < size; i++) sent[i] = evidence[i] + field + fromRows[i];
        for (let line = 0; line < tiles * columns; line++) {
          const at = Math.floor(line / columns) * rows * columns + (line % columns);
          passAlong(column, { at, stride: columns, length: rows }, fromColumns);
        }
        change = 0;
        for (let i = 0; i < size; i++) {
          const next = field + fromRows[i] + fromColumns[i];
          change = Math.max(change, Math.abs(next - out[i]));
          out[i] = next;
        }
      }
    },
  };

  function passAlong(pass: LinePass, line: { at: number; stride: number; length: number }, to: Float64Array) {
    passLine(pass, sent, line, scratch);
    writeLine(scratch, to, line);
  }
}
