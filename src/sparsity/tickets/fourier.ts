import { Problem } from "../../problem.ts";

/**
 * Power of each frequency 1 .. ⌊p/2⌋ in each row of a matrix [rows, p], with the row's mean removed: |Σ_x w_x e^{−2πifx/p}|².
 * Row-major [rows, ⌊p/2⌋].
 */
export function rowSpectra(data: ArrayLike<number>, p: number): Float64Array {
  const rows = data.length / p;
  const bins = Math.floor(p / 2);
  const spectra = new Float64Array(rows * bins);
  // Frequencies from 1 up see nothing of the mean.
  const [cosine, sine] = [Math.cos, Math.sin].map((f) =>
    Float64Array.from({ length: p }, (_, x) => f((2 * Math.PI * x) / p)),
  );
  for (let r = 0; r < rows; r++)
    for (let f = 1; f <= bins; f++) {
      let [re, im] = [0, 0];
      for (let x = 0; x < p; x++) {
        const at = (f * x) % p;
        re += data[r * p + x] * cosine[at];
        im -= data[r * p + x] * sine[at];
      }
      spectra[r * bins + f - 1] = re * re + im * im;
    }
  return spectra;
}

/**
 * Mean over rows of the entropy of the amplitudes as shares of their sum, in nats: 0 where every row is one wave, ln ⌊p/2⌋
 * where all frequencies are equal (grokking.md section 3; its vectors take amplitudes, not powers). Rows without any, such
 * as pruned ones, don't count; NaN if all are. Throws a `Problem` where the numbers are no rows of p.
 */
export function fourierEntropy(data: ArrayLike<number>, p: number): number {
  requireRows(data, p);
  return amplitudeEntropy(rowSpectra(data, p), Math.floor(p / 2));
}

/** Throws a `Problem` unless numbers are rows of `p`, at least one. */
export function requireRows({ length }: ArrayLike<number>, p: number): void {
  if (!(Number.isInteger(p) && p > 1 && length > 0 && length % p === 0))
    throw new Problem(`${length} numbers are no rows of p = ${p}; p is the number of tokens, 2 or more`);
}

/** The same of powers [rows, bins]. */
export function amplitudeEntropy(powers: Float64Array, bins: number): number {
  const amplitudes = powers.map(Math.sqrt);
  let [sum, counted] = [0, 0];
  for (let from = 0; from < amplitudes.length; from += bins) {
    const row = amplitudes.subarray(from, from + bins);
    const total = row.reduce((a, b) => a + b, 0);
    if (total === 0) continue;
    counted++;
    for (const amplitude of row) if (amplitude > 0) sum -= (amplitude / total) * Math.log(amplitude / total);
  }
  return sum / counted;
}

/** Share of the whole power in each column of powers [rows, bins]. */
export function powerShares(powers: Float64Array, bins: number): number[] {
  const total = powers.reduce((a, b) => a + b, 0);
  return Array.from({ length: bins }, (_, bin) => {
    let power = 0;
    for (let at = bin; at < powers.length; at += bins) power += powers[at];
    return power / total;
  });
}
