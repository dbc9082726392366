/** What a memory of sequences of binary patterns does, so that all kinds of them can be asked the same. */
export interface SequenceMemory {
  /** One presentation of a sequence, an episode of its own. */
  learnSequence(frames: readonly ArrayLike<number>[]): void;
  /** After each frame of an episode: the inputs that it expects next, at most `size`, in rising order. */
  predict(frames: readonly ArrayLike<number>[], size: number): number[][];
}
