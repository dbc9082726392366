/** What tells classes of binary patterns apart, so that all kinds of it can be asked the same. */
export interface PatternClassifier {
  /** Learns a pattern, the numbers of its active inputs, as one of a class. */
  learn(pattern: ArrayLike<number>, label: string): void;
  /** The most likely class, and the score of each in the order in which they were first seen. */
  classify(pattern: ArrayLike<number>): ClassScores;
}

export interface ClassScores {
  /** The first of equals; undefined before anything was learnt. */
  label?: string;
  scores: { label: string; score: number }[];
}

export function classScores(labels: Iterable<string>, scores: ArrayLike<number>): ClassScores {
  const all = Array.from(labels, (label, c) => ({ label, score: scores[c] }));
  const best = all.reduce((a, b) => (b.score > a.score ? b : a), all[0]);
  return { label: best?.label, scores: all };
}
