/** What a memory of binary patterns does, so that all kinds of them can be asked the same. */
export interface PatternMemory {
  /** Stores a pattern, the numbers of its active inputs, in one presentation. */
  learn(pattern: ArrayLike<number>): void;
  /** The `size` inputs that fit a cue best, in rising order: the stored pattern, where all goes well. */
  recognize(cue: ArrayLike<number>, size: number): number[];
}
