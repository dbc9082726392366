import { Problem } from "../problem.ts";

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
  /** Fewer than this may not be left. Default 1. */
  least?: number;
}

/** A section with the place of its groups among those of the regulariser. */
export interface LayerSection extends Section {
  start: number;
  end: number;
  /** Groups of a mask over all sections that are in this one. */
  count(mask: Uint8Array): number;
}

/** Every layer that competes in a set, with where its groups begin; the set itself where nothing else is said. */
export function layerSections(whole: Section, { sections = [whole] }: Allowance): LayerSection[] {
  let from = 0;
  return sections.map((section) => {
    const start = from;
    const end = (from += section.groups);
    const count = (mask: Uint8Array) => mask.subarray(start, end).reduce((sum, alive) => sum + alive, 0);
    return { ...section, start, end, count };
  });
}

/** Throws a `Problem` where a layer cannot keep so many groups. */
export function requireKeepable({ name, groups }: Section, keep: number): void {
  if (!Number.isInteger(keep) || keep < 1 || keep > groups)
    throw new Problem(
      `layer "${name}" has ${groups} groups; cannot keep ${keep} of them: ask for 1 to ${groups}`,
    );
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
