/**
 * Corpus BLEU-4 in percent (Papineni et al. 2002): the geometric mean of the clipped precisions of 1- to 4-grams over all
 * sentences, times exp(1 − reference length/hypothesis length) where the hypotheses are shorter. One reference each; tokens
 * are whatever can be told apart. 0 where some order matches nowhere; there is no smoothing.
 */
export function corpusBleu(
  hypotheses: readonly (readonly (string | number)[])[],
  references: readonly (readonly (string | number)[])[],
): number {
  let [length, referenceLength, logarithm] = [0, 0, 0];
  hypotheses.forEach((h, i) => {
    length += h.length;
    referenceLength += references[i].length;
  });
  for (let n = 1; n <= 4; n++) {
    let [matched, total] = [0, 0];
    hypotheses.forEach((h, i) => {
      const there = countNgrams(references[i], n);
      for (const [gram, count] of countNgrams(h, n)) {
        matched += Math.min(count, there.get(gram) ?? 0);
        total += count;
      }
    });
    if (matched === 0) return 0;
    logarithm += Math.log(matched / total) / 4;
  }
  return 100 * Math.exp(Math.min(0, 1 - referenceLength / length) + logarithm);
}

function countNgrams(tokens: readonly (string | number)[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    const gram = tokens.slice(i, i + n).join("\0");
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}
