/** A sentence in tokens, which are whatever can be told apart. */
export type Sentence = readonly (string | number)[];

export interface BleuOptions {
  /** Longest n-grams. Default 4. */
  order?: number;
  /**
   * `none` (default): 0 where some order matches nowhere. `exp`: then its first such order counts as half a match, the next
   * as a quarter (Chen and Cherry 2014, method 3; what NIST's mteval and sacreBLEU do).
   */
  smoothing?: "none" | "exp";
}

/**
 * Corpus BLEU in percent (Papineni et al. 2002): the geometric mean of the clipped precisions of 1- to 4-grams over all
 * sentences, times exp(1 − reference length/hypothesis length) where the hypotheses are shorter. Each hypothesis has one
 * reference or more; of several, the length nearest to its own counts, of two the shorter.
 */
export function corpusBleu(
  hypotheses: readonly Sentence[],
  references: readonly (readonly Sentence[])[],
  { order = 4, smoothing = "none" }: BleuOptions = {},
): number {
  let [length, referenceLength, logarithm, halving] = [0, 0, 0, 1];
  hypotheses.forEach((h, i) => {
    length += h.length;
    referenceLength += nearest(
      references[i].map((r) => r.length),
      h.length,
    );
  });
  for (let n = 1; n <= order; n++) {
    let [matched, total] = [0, 0];
    hypotheses.forEach((h, i) => {
      const there = references[i].map((r) => countNgrams(r, n));
      for (const [gram, count] of countNgrams(h, n)) {
        matched += Math.min(count, Math.max(...there.map((counts) => counts.get(gram) ?? 0)));
        total += count;
      }
    });
    if (matched === 0) {
      if (n === 1 || total === 0 || smoothing === "none") return 0;
      halving /= 2;
      matched = halving;
    }
    logarithm += Math.log(matched / total) / order;
  }
  return 100 * Math.exp(Math.min(0, 1 - referenceLength / length) + logarithm);
}

function nearest(lengths: readonly number[], to: number): number {
  return lengths.reduce((best, l) => {
    const closer = Math.abs(l - to) - Math.abs(best - to);
    return closer < 0 || (closer === 0 && l < best) ? l : best;
  });
}

function countNgrams(tokens: Sentence, n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    const gram = tokens.slice(i, i + n).join("\0");
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}
