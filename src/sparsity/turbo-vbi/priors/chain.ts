import type { LineShape } from "../../lines.ts";
import type { Line, LinePass, LineScratch } from "./line.ts";
import { lineScratch, logPartitionOfLine, passLine, writeLine } from "./line.ts";
import { probability } from "./parameters.ts";
import type { SupportPrior } from "./prior.ts";

/** A two-state Markov chain. Runs of ones have mean length 1/p10, gaps 1/p01. */
export interface Chain {
  /** P(first bit is 1). */
  lambda: number;
  /** P(1 | the bit before is 0). */
  p01: number;
  /** P(0 | the bit before is 1). */
  p10: number;
}

/** The stationary chain with P(1) = λ and the given p10; p10 = 1 − λ makes the bits independent. */
export function stationaryChain(lambda: number, p10: number): Chain {
  return { lambda, p10, p01: (lambda * p10) / (1 - lambda) };
}

export function chainPass(chain: Chain): LinePass {
  for (const [name, value] of Object.entries(chain)) probability(name, value);
  const { lambda, p01, p10 } = chain;
  const [p00, p11] = [1 - p01, 1 - p10];
  return {
    start: lambda / (1 - lambda),
    forward: [p01, p11, p00, p10],
    backward: [p10, p11, p00, p01],
  };
}

/** A chain along every line, exact, linear in its length (turbovbi.md 3.3c). `learn` fits the chain to the evidence. */
export function chainPrior(initial: Chain, { tiles, rows, columns }: LineShape): SupportPrior {
  let chain = { ...initial };
  let pass = chainPass(chain);
  const scratch = lineScratch(columns);
  const overLines = (evidence: Float64Array, then: (line: Line) => void) => {
    for (let line = 0; line < tiles * rows; line++) {
      const where = { at: line * columns, stride: 1, length: columns };
      passLine(pass, evidence, where, scratch);
      then(where);
    }
  };
  return {
    extrinsic: (evidence, out) => overLines(evidence, (line) => writeLine(scratch, out, line)),
    logPartition: (evidence) => {
      let sum = 0;
      overLines(evidence, ({ length }) => (sum += logPartitionOfLine(scratch, length)));
      return sum;
    },
    learn: (evidence) => {
      const counts = noTransitions();
      overLines(evidence, ({ length }) => addTransitions(chain, scratch, length, counts));
      chain = smoothedChain(counts);
      pass = chainPass(chain);
    },
    state: () => ({ ...chain }),
    restore: (saved) => {
      chain = { ...(saved as Chain) };
      pass = chainPass(chain);
    },
  };
}

/** Expected counts of transitions from 0 or 1 to 0 or 1, and of lines that begin with 1. */
export interface Transitions {
  from0: [to0: number, to1: number];
  from1: [to0: number, to1: number];
  starts1: number;
  lines: number;
}

export function noTransitions(): Transitions {
  return { from0: [0, 0], from1: [0, 0], starts1: 0, lines: 0 };
}

/** Adds those of the line just passed: ξ(x, y) ∝ P_forward(x)·T(x, y)·P_backward(y). */
export function addTransitions(
  { p01, p10 }: Chain,
  { odds, forward, backward }: LineScratch,
  length: number,
  counts: Transitions,
): void {
  for (let n = 0; n + 1 < length; n++) {
    const left = odds[n] * forward[n];
    const right = odds[n + 1] * backward[n + 1];
    const t00 = 1 - p01;
    const t01 = p01 * right;
    const t10 = left * p10;
    const t11 = left * (1 - p10) * right;
    const total = t00 + t01 + t10 + t11;
    counts.from0[0] += t00 / total;
    counts.from0[1] += t01 / total;
    counts.from1[0] += t10 / total;
    counts.from1[1] += t11 / total;
  }
  const first = odds[0] * forward[0] * backward[0];
  counts.starts1 += first / (1 + first);
  counts.lines++;
}

/** The chain that maximises the expected likelihood: plain Baum–Welch. */
export function likeliestChain({ from0, from1, starts1, lines }: Transitions): Chain {
  return {
    lambda: starts1 / lines,
    p01: from0[1] / (from0[0] + from0[1]),
    p10: from1[0] / (from1[0] + from1[1]),
  };
}

/** The same with a few counts added, within limits and stationary, so that a layer without any runs cannot switch itself off. */
function smoothedChain({ from0, from1 }: Transitions): Chain {
  const within = (p: number, high: number) => Math.min(high, Math.max(1e-3, p));
  const p01 = within((from0[1] + 0.1) / (from0[0] + from0[1] + 1), 0.5);
  const p10 = within((from1[0] + 0.2) / (from1[0] + from1[1] + 1), 0.9);
  return { p01, p10, lambda: p01 / (p01 + p10) };
}
