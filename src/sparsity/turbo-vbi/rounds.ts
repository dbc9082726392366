import type { TurboVbiOptions } from "./options.ts";

/** Where a run of Turbo-VBI stands in an epoch. */
export interface Rounds {
  /** The first epoch with posteriors. */
  first: boolean;
  selecting: boolean;
  /** The last epoch with posteriors, and whether others follow. */
  last: boolean;
  polishes: boolean;
  /** Messages are sent after this epoch. */
  endsRound: boolean;
  /** Weight of the prior against the data, from 0 to 1. */
  weight: number;
}

/** Epochs without posteriors, rounds with them, and epochs in which what is left trains alone (turbovbi.md 3.6). */
export function roundsAt(
  { epoch, epochs }: { epoch: number; epochs: number },
  {
    warmup = 0,
    select = 1,
    roundEpochs = 3,
    annealRounds = 3,
  }: Pick<TurboVbiOptions, "warmup" | "select" | "roundEpochs" | "annealRounds">,
): Rounds {
  const warm = Math.round(warmup * epochs);
  const end = Math.max(warm + 1, Math.round((warmup + select) * epochs));
  const within = epoch - warm;
  return {
    first: epoch === warm,
    selecting: epoch >= warm && epoch < end,
    last: epoch === end - 1,
    polishes: end < epochs,
    endsRound: (within + 1) % roundEpochs === 0 || epoch === end - 1,
    weight: Math.min(1, (Math.floor(within / roundEpochs) + 1) / annealRounds),
  };
}
