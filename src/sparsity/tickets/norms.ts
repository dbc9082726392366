import type { Masks, Weights } from "./masks.ts";
import { mapValues, maskWeights } from "./masks.ts";

/** Norms of all weights together. */
export function norms(weights: Weights): { l1: number; l2: number } {
  let [sum, squares] = [0, 0];
  for (const w of weights.values())
    for (let i = 0; i < w.length; i++) {
      sum += Math.abs(w[i]);
      squares += w[i] * w[i];
    }
  return { l1: sum, l2: Math.sqrt(squares) };
}

/** r₁ = ‖w∘m‖₁/‖w‖₁ and r₂ likewise: what a dense network is scaled by to start at the ticket's norm (grokking.md section 3). */
export function normRatios(weights: Weights, masks: Masks): { l1: number; l2: number } {
  const [all, kept] = [norms(weights), norms(maskWeights(weights, masks))];
  return { l1: kept.l1 / all.l1, l2: kept.l2 / all.l2 };
}

export function scaleWeights(weights: Weights, factor: number): Weights {
  return mapValues(weights, (w) => w.map((v) => v * factor));
}
