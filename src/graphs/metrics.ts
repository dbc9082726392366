import { Problem } from "../problem.ts";

/**
 * Area under the ROC curve: the share of pairs (positive, negative) in which the positive scores higher; ties count half.
 * Throws a `Problem` for a score that is not a number.
 */
export function rocAuc(positive: ArrayLike<number>, negative: ArrayLike<number>): number {
  const all = ranked(positive, negative);
  let ranks = 0;
  for (let start = 0; start < all.length; ) {
    let end = start;
    while (end < all.length && all[end].score === all[start].score) end++;
    for (let i = start; i < end; i++) if (all[i].positive) ranks += all.length - (start + end - 1) / 2;
    start = end;
  }
  const p = positive.length;
  return (ranks - (p * (p + 1)) / 2) / (p * negative.length);
}

/**
 * Average precision: precision at every positive's score, tied scores being one threshold, averaged over the positives. Throws
 * a `Problem` for a score that is not a number.
 */
export function averagePrecision(positive: ArrayLike<number>, negative: ArrayLike<number>): number {
  const all = ranked(positive, negative);
  let [found, sum] = [0, 0];
  for (let start = 0; start < all.length; ) {
    let end = start;
    while (end < all.length && all[end].score === all[start].score) end++;
    const hits = all.slice(start, end).filter((x) => x.positive).length;
    found += hits;
    sum += (hits * found) / end;
    start = end;
  }
  return sum / positive.length;
}

/** Both lists by falling score. */
function ranked(positive: ArrayLike<number>, negative: ArrayLike<number>) {
  const all = [
    ...Array.from(positive, (score) => ({ score, positive: true })),
    ...Array.from(negative, (score) => ({ score, positive: false })),
  ];
  if (all.some(({ score }) => Number.isNaN(score)))
    throw new Problem(
      "a score is not a number, so that scores cannot be ranked; where a network gave it, it has diverged: lower the learning rate",
    );
  return all.sort((a, b) => b.score - a.score);
}

export interface ClassScores {
  accuracy: number;
  /** Micro-F1, which is the accuracy, with more than two classes; with two, F1 of class 1, as HGCN reports it. */
  f1: number;
}

/** Scores of logits [samples, classes] against labels. */
export function classScores(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): ClassScores {
  let [hits, truePositive, wrong] = [0, 0, 0];
  for (let i = 0; i < labels.length; i++) {
    let best = 0;
    for (let k = 1; k < classes; k++) if (logits[i * classes + k] > logits[i * classes + best]) best = k;
    if (best === labels[i]) hits++;
    else wrong++;
    if (best === 1 && labels[i] === 1) truePositive++;
  }
  const accuracy = hits / labels.length;
  return {
    accuracy,
    f1: classes > 2 ? accuracy : (2 * truePositive) / Math.max(1, 2 * truePositive + wrong),
  };
}
