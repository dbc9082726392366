import type { Random } from "../../../src/random.ts";

/** `size` different numbers below `n`, in rising order. */
export function randomPattern(rng: Random, n: number, size: number): number[] {
  return Array.from(rng.permutation(n).subarray(0, size)).sort((a, b) => a - b);
}

export const randomPatterns = (rng: Random, count: number, n: number, size: number): number[][] =>
  Array.from({ length: count }, () => randomPattern(rng, n, size));

/** Takes `count` random members off and, where `moved`, puts as many random others on. */
export function corrupt(
  rng: Random,
  pattern: readonly number[],
  n: number,
  count: number,
  moved = true,
): number[] {
  const keep = Array.from(rng.permutation(pattern.length).subarray(count), (i) => pattern[i]);
  if (!moved) return keep.sort((a, b) => a - b);
  const had = new Set(pattern);
  const others = Array.from({ length: n }, (_, j) => j).filter((j) => !had.has(j));
  const added = Array.from(rng.permutation(others.length).subarray(0, count), (i) => others[i]);
  return [...keep, ...added].sort((a, b) => a - b);
}

export function overlap(a: readonly number[], b: readonly number[]): number {
  const set = new Set(b);
  return a.reduce((sum, x) => sum + Number(set.has(x)), 0);
}

export interface Taxonomy {
  inputs: number;
  items: number[][];
  /** Class of each item, 0 .. 8, and super-class, 0 .. 2. */
  classes: number[];
  supers: number[];
  /** Features that all exemplars of a class share. */
  core: number[][];
}

/** 3 super-classes of 3 classes of 6 exemplars over 400 features: 10 super-core, 10 class-core and 10 own (P3). */
export function taxonomy(rng: Random, inputs = 400): Taxonomy {
  const order = Array.from(rng.permutation(inputs));
  const supers = Array.from({ length: 3 }, () => order.splice(0, 10));
  const classes = Array.from({ length: 9 }, () => order.splice(0, 10));
  const core = classes.map((own, c) => [...supers[Math.floor(c / 3)], ...own]);
  const all = core.flatMap((features, c) =>
    Array.from({ length: 6 }, () => ({
      c,
      features: [...features, ...Array.from(rng.permutation(order.length).subarray(0, 10), (i) => order[i])],
    })),
  );
  const shuffled = Array.from(rng.permutation(all.length), (i) => all[i]);
  return {
    inputs,
    items: shuffled.map(({ features }) => features),
    classes: shuffled.map(({ c }) => c),
    supers: shuffled.map(({ c }) => Math.floor(c / 3)),
    core,
  };
}
