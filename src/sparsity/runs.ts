/** A row-major pattern of weights that are in use: a line is all that enters one neuron or filter. */
export interface Pattern {
  readonly lines: number;
  readonly columns: number;
  /** 1 where a weight is in use, else 0. */
  readonly mask: ArrayLike<number>;
}

/** How regular a pattern is, and what it costs to say where its weights are. */
export interface PatternStatistics {
  weights: number;
  nonZeros: number;
  /** Maximal blocks of neighbours in use along lines, and along columns. */
  runs: number;
  runsDown: number;
  /** Lines and columns with at least one weight in use. */
  liveLines: number;
  liveColumns: number;
  indexBits: IndexBits;
}

/** Bits that name the positions of all weights in use. */
export interface IndexBits {
  /** Runs by Elias-γ codes, see `runCodeBits`. */
  runs: number;
  /** Compressed rows: one column a weight, one start a line and one more, each in as few whole bits as do. */
  csr: number;
  /** One bit a weight. */
  bitmap: number;
}

export function patternStatistics(pattern: Pattern): PatternStatistics {
  const { lines, columns, mask } = pattern;
  let [nonZeros, runs, runsDown, liveLines] = [0, 0, 0, 0];
  const used = new Uint8Array(columns);
  for (let line = 0; line < lines; line++) {
    const before = nonZeros;
    for (let column = 0, i = line * columns; column < columns; column++, i++) {
      if (!mask[i]) continue;
      nonZeros++;
      used[column] = 1;
      if (column === 0 || !mask[i - 1]) runs++;
      if (line === 0 || !mask[i - columns]) runsDown++;
    }
    if (nonZeros > before) liveLines++;
  }
  const weights = lines * columns;
  return {
    weights,
    nonZeros,
    runs,
    runsDown,
    liveLines,
    liveColumns: used.reduce((a, b) => a + b, 0),
    indexBits: {
      runs: runCodeBits(pattern),
      csr: nonZeros * bitsFor(columns) + (lines + 1) * bitsFor(nonZeros + 1),
      bitmap: weights,
    },
  };
}

/** Length of the Elias-γ code of n ≥ 1: 2⌊log₂ n⌋ + 1. */
export function eliasGammaBits(n: number): number {
  return 2 * Math.floor(Math.log2(n)) + 1;
}

/**
 * Bits of the run code: for every line the number of runs plus one, then of each run its distance from the end of the run
 * before (from the start of the line plus one for the first) and its length, all in Elias-γ (turbovbi.md 3.8).
 */
export function runCodeBits({ lines, columns, mask }: Pattern): number {
  let bits = 0;
  for (let line = 0, at = 0; line < lines; line++, at += columns) {
    let runs = 0;
    let end = -1;
    for (let column = 0; column < columns; column++) {
      if (!mask[at + column]) continue;
      const start = column;
      while (column < columns && mask[at + column]) column++;
      bits += eliasGammaBits(start - end) + eliasGammaBits(column - start);
      end = column;
      runs++;
    }
    bits += eliasGammaBits(runs + 1);
  }
  return bits;
}

function bitsFor(values: number): number {
  return Math.ceil(Math.log2(values));
}
