import { Problem } from "../problem.ts";
import type { KAnnealOptions } from "./k-anneal-options.ts";

/** Where in a run an epoch lies. */
export interface Phases {
  /** Epochs of selection are warm ≤ epoch < end. */
  warm: number;
  end: number;
  selecting: boolean;
  /** The last epoch of selection, after which is cut what is still too much; with a fixed λ there is none. */
  last: boolean;
  /** Steps of this epoch are half-space steps, where the epoch alone says so. */
  halfSpace: boolean;
  /** How much of selection is done at the end of this epoch, up to 1. */
  share: number;
}

/** Throws a `Problem` where so few epochs never come to the end of selection, which leaves exactly what was asked for. */
export function requireSelection(options: KAnnealOptions, epochs: number): void {
  const { end } = phasesAt({ epoch: 0, epochs }, options);
  if (end > epochs)
    throw new Problem(
      `selection would end after epoch ${end}, but training has ${epochs}: give it more epochs, or smaller shares of warm-up and selection`,
    );
}

/** The phases of wgsef.md 3.7: warm-up of at least one epoch unless there is to be none, selection, polishing. */
export function phasesAt(
  { epoch, epochs }: { epoch: number; epochs: number },
  { warmup = 0.15, select = 0.5, fixedLambda, steps = "proximal" }: KAnnealOptions,
): Phases {
  const fixed = fixedLambda !== undefined;
  const warm = warmup === 0 ? 0 : Math.max(1, Math.round(warmup * epochs));
  const end = fixed ? epochs : Math.max(warm + 1, Math.round((warmup + select) * epochs));
  return {
    warm,
    end,
    selecting: epoch >= warm && epoch < end,
    last: !fixed && epoch === end - 1,
    halfSpace: steps === "half-space" && epoch >= (warm + end) / 2,
    share: (epoch - warm + 1) / (end - warm),
  };
}
