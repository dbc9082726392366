import { logistic } from "./logistic.ts";
import { kernelsFor } from "./room.ts";

/**
 * How local support becomes the chance to win (Rinkus 2014, Front. Comput. Neurosci. 8:160; `specs/sparsey.md` 3.2,
 * steps 8 to 10).
 */
export type Sigmoid =
  /** 1 / (1 + exp(−steepness·(V − center))) */
  | { kind: "logistic"; steepness: number; center: number }
  /** (1 + s1·exp(−s2·(V − s3)))^−s4: the four-parameter form of 2014, exponent outside the bracket. */
  | { kind: "richards"; s1: number; s2: number; s3: number; s4: number }
  /** ψ = 1 + (K−1)·V/(1−V), at most 1 + cap·K: expected overlap grows linearly with V; no expansivity. */
  | { kind: "odds"; cap: number };

export interface Expansion {
  /** χ ≥ 0; with 0 every code is drawn uniformly. */
  chi: number;
  /** γ > 0. */
  gamma: number;
  /** G⁻ in [0, 1): at this familiarity and below the draw is uniform. */
  familiarityFloor: number;
}

/** η = 1 + (max(0, G − G⁻)/(1 − G⁻))^γ · χ · K: how much a familiar input sharpens the draw; 1 where nothing is known. */
export function expansivity(familiarity: number, k: number, expansion: Expansion): number {
  const { chi, gamma, familiarityFloor } = expansion;
  return 1 + (Math.max(0, familiarity - familiarityFloor) / (1 - familiarityFloor)) ** gamma * chi * k;
}

/** ψ of one cell, ≥ 1, from its support V in [0, 1]. */
export function winWeight(support: number, k: number, eta: number, sigmoid: Sigmoid): number {
  switch (sigmoid.kind) {
    case "logistic":
      return 1 + (eta - 1) * logistic(sigmoid.steepness * (sigmoid.center - support));
    case "richards": {
      const { s1, s2, s3, s4 } = sigmoid;
      return 1 + (eta - 1) * (1 + s1 * Math.exp(-s2 * (support - s3))) ** -s4;
    }
    case "odds":
      return 1 + Math.min(((k - 1) * support) / (1 - support), sigmoid.cap * k);
  }
}

/**
 * ψ of every cell of one module: `support` holds K values from `from` on, `out` has room for K. Returns their sum. With
 * a kernel where both lie in one arena.
 */
export function winWeights(
  support: Float64Array,
  from: number,
  k: number,
  eta: number,
  sigmoid: Sigmoid,
  out: Float64Array,
): number {
  const kernels = kernelsFor(support);
  if (kernels && sigmoid.kind === "logistic" && out.buffer === support.buffer) {
    const { steepness, center } = sigmoid;
    return kernels.winWeights(support.byteOffset + 8 * from, k, eta - 1, steepness, center, out.byteOffset);
  }
  // Most cells have no support at all: one weight serves them together.
  const none = winWeight(0, k, eta, sigmoid);
  // The others are added as the kernel adds them: of 64 cells, the first, third … to one sum, the rest to another.
  const sums = [0, 0];
  let without = 0;
  for (let i = 0, place = 0; i < k; i++) {
    if (i % 64 === 0) place = 0;
    const v = support[from + i];
    if (v === 0) without++;
    out[i] = v === 0 ? none : winWeight(v, k, eta, sigmoid);
    if (v !== 0) sums[place++ & 1] += out[i];
  }
  return sums[0] + sums[1] + none * without;
}
