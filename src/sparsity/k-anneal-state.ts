import type { UndecidedGroup } from "./regularizer.ts";

/** How a layer came to its number of groups. */
export interface LayerOutcome {
  name: string;
  groups: number;
  /** Groups that were to survive: the number asked for, or what the allowance came to. */
  keep: number;
  /** Non-zero groups that training itself left, before anything was forced. */
  natural: number;
  /** Epoch (from 1) after which the layer was frozen; with a fixed λ, since which it has had its number. */
  epoch: number;
  lambda: number;
  /** Groups that were cut by hand because training had left more than `keep`. */
  forced: number;
  /** Groups that were neither zero nor out of the penalty's reach in the last proximal step, smallest first, at most 10. */
  undecided: UndecidedGroup[];
}

/** Figures of the network right before and right after the cut at the end of selection. */
export interface Commit {
  before: Record<string, number>;
  after: Record<string, number>;
}

/** Where a regulariser stands. */
export interface LayerState {
  lambda: number;
  /** Groups that are not held at zero; undefined: none is. */
  held: Uint8Array | undefined;
  /** The layer has reached its number: from then on the zeros are final. */
  frozen: boolean;
  /** Which groups lived when the epoch began; undefined: all. */
  live: number[] | undefined;
  /** Groups that were cut by hand before the end of selection. */
  cut: number[];
  /** One for each layer that competes. */
  outcomes: LayerOutcome[];
}

/** The groups of a layer whose fate is open. */
export interface Undecided {
  count: number;
  smallest: UndecidedGroup[];
}

/** What a checkpoint holds of the method. */
export interface KAnnealState {
  states: (Omit<LayerState, "held"> & { held?: number[] })[];
  undecided: Undecided[][];
  committed: Commit | undefined;
  gradients: number;
  saliencies: number[][];
  /** What `HalfSpaceRounds` remembers of the epoch. */
  far?: number[][];
}

/** Of each layer which groups are not held at zero, 1 or 0 each, in a state that was saved; undefined: none is held. */
export function heldIn(state: unknown): (readonly number[] | undefined)[] {
  return (state as KAnnealState).states.map(({ held }) => held);
}
