/**
 * Seeded random numbers. The generator is mulberry32, so that the reference vectors of the specs, made in other
 * languages, can be repeated number by number.
 */
export interface Random {
  /** Uniform in [0, 1) with 32 random bits. */
  uniform(): number;
  /** Standard normal by Box–Muller, cosine branch only: two uniforms each. */
  normal(): number;
  /** Uniform integer in 0 .. n−1. */
  integer(n: number): number;
  /** A permutation of 0 .. n−1 (Fisher–Yates from the end). */
  permutation(n: number): Uint32Array;
  /** The generator's whole state: give it back to `random` to continue exactly there. */
  state(): number;
}

export function random(seed: number): Random {
  let a = seed >>> 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return radius * Math.cos(2 * Math.PI * uniform());
  };
  const integer = (n: number) => Math.floor(uniform() * n);
  const permutation = (n: number) => {
    const p = new Uint32Array(n);
    for (let i = 0; i < n; i++) p[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = integer(i + 1);
      const swap = p[i];
      p[i] = p[j];
      p[j] = swap;
    }
    return p;
  };
  return { uniform, normal, integer, permutation, state: () => a };
}

/**
 * A seed for an independent stream: the same `(seed, ...path)` always gives the same stream, different paths give
 * unrelated ones. Use it wherever two consumers must not disturb each other (data order, dropout, initialisation).
 */
export function deriveSeed(seed: number, ...path: (number | string)[]): number {
  let h = (seed ^ 0x9e3779b9) >>> 0;
  for (const part of path)
    for (const c of `${part}/`) {
      h = Math.imul(h ^ c.codePointAt(0)!, 0x01000193) >>> 0;
      h = (h ^ (h >>> 15)) >>> 0;
    }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
  return (h ^ (h >>> 16)) >>> 0;
}
