import type { FlatArrays } from "../../engine/parameters.ts";
import type { Commit } from "../k-anneal-state.ts";

/** Weights that became zero and stay so, by parameter: 0 where one is, else 1. */
export type SupportMasks = ReadonlyMap<string, Uint8Array>;

/** Cuts weights once and keeps them zero from then on. */
export interface HeldZeros {
  /** Sets weights to zero and forgets what the optimiser knows of them, and all that it knows of `settled` parameters. */
  cut(
    masks: SupportMasks,
    at: { parameters: FlatArrays; moments: readonly FlatArrays[]; settled: readonly string[] },
    evaluate: () => Promise<Record<string, number>>,
  ): Promise<void>;
  /** Takes up where a run was stopped. */
  restore(masks: SupportMasks, commit: Commit): void;
  /** Sets what belongs to weights that are gone to zero; before there was a cut nothing. */
  clear(arrays: FlatArrays): void;
  /** Whether there was a cut. */
  holds(): boolean;
  /** Figures right before and right after it. */
  commit(): Commit | undefined;
}

export function createHeldZeros(): HeldZeros {
  let held: SupportMasks | undefined;
  let figures: Commit | undefined;
  const clear = ({ arrays }: FlatArrays) => {
    for (const [name, mask] of held ?? []) {
      const array = arrays[name];
      for (let i = 0; i < mask.length; i++) if (!mask[i]) array[i] = 0;
    }
  };
  return {
    cut: async (masks, { parameters, moments, settled }, evaluate) => {
      const before = await evaluate();
      held = masks;
      clear(parameters);
      figures = { before, after: await evaluate() };
      for (const kind of moments) {
        clear(kind);
        for (const name of settled) kind.arrays[name].fill(0);
      }
    },
    restore: (masks, commit) => {
      held = masks;
      figures = commit;
    },
    clear,
    holds: () => held !== undefined,
    commit: () => figures,
  };
}
