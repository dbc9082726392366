import { requireRows } from "./fourier.ts";
import { symmetricEigen } from "./singular.ts";

/**
 * How much an embedding [width, p] lies on circles (Zhong et al. 2023, "The clock and the pizza", section 3): of each of the
 * first four principal components over the p tokens, the share of power at its strongest frequency; their mean. 1 where
 * every component is one wave, about (ln p)·2/p for noise. Throws a `Problem` where the numbers are no rows of p.
 */
export function circularity(embedding: ArrayLike<number>, p: number, components = 4): number {
  requireRows(embedding, p);
  const width = embedding.length / p;
  const centred = new Float64Array(embedding.length);
  for (let r = 0; r < width; r++) {
    let mean = 0;
    for (let x = 0; x < p; x++) mean += embedding[r * p + x] / p;
    for (let x = 0; x < p; x++) centred[r * p + x] = embedding[r * p + x] - mean;
  }
  const covariance = new Float64Array(p * p);
  for (let r = 0; r < width; r++)
    for (let x = 0; x < p; x++)
      for (let y = 0; y < p; y++) covariance[x * p + y] += centred[r * p + x] * centred[r * p + y];
  const { vectors } = symmetricEigen(covariance, p);
  const shares = vectors.slice(0, components).map((c) => {
    const power = c.reduce((a, v) => a + v * v, 0);
    let strongest = 0;
    for (let f = 1; f <= p / 2; f++) {
      let [re, im] = [0, 0];
      for (let x = 0; x < p; x++) {
        re += c[x] * Math.cos((2 * Math.PI * f * x) / p);
        im += c[x] * Math.sin((2 * Math.PI * f * x) / p);
      }
      // A wave of frequency below p/2 has its power at f and at p − f.
      strongest = Math.max(strongest, ((2 * f === p ? 1 : 2) * (re * re + im * im)) / p);
    }
    return strongest / power;
  });
  return shares.reduce((a, b) => a + b, 0) / shares.length;
}
