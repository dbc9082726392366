/** What the groups of one regulariser may cost together, and which of them to keep within it. */
export interface Allowance {
  /** Groups in a row that belong to one layer, where several layers compete. Absent: all are one layer's. */
  readonly sections?: readonly Section[];
  /**
   * Budget K and costs c_j of the proximal step (wgsef.md 3.1) while these groups live, c_j = 1 where absent. Costs that are
   * no sum over groups, such as the multiplications of two neighbouring layers, are taken by their slopes at this point.
   */
  at(live: Uint8Array): { k: number; c?: Float64Array };
  /** Whether what lives costs no more than is allowed. */
  met(live: Uint8Array): boolean;
  /** The groups to keep, 1 or 0 each: those that are not zero, without the least important where they cost too much. */
  choose(norms: Float64Array): Uint8Array;
  /** Marks groups that the proximal step must leave alone, such as the last one of a layer; 1 or 0 each. */
  spared?(norms: Float64Array): Uint8Array;
}

export interface Section {
  name: string;
  groups: number;
}

/** At most k groups: the largest, ties to the lowest index. */
export function keepCount(k: number): Allowance {
  return {
    at: () => ({ k }),
    met: (live) => live.reduce((sum, alive) => sum + alive, 0) <= k,
    choose: (norms) => {
      const kept = new Uint8Array(norms.length);
      for (const j of byNorm(norms).slice(0, k)) kept[j] = Number(norms[j] !== 0);
      return kept;
    },
  };
}

/** Groups from the largest norm to the smallest, ties by index. */
export function byNorm(norms: Float64Array): Uint32Array {
  return Uint32Array.from(norms.keys()).sort((i, j) => norms[j] - norms[i] || i - j);
}
