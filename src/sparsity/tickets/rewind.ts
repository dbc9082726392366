import { Problem } from "../../problem.ts";
import type { Masks, Scope, Weights } from "./masks.ts";
import { keepLargest, mapValues, requireFit } from "./masks.ts";

/**
 * Every weight at its sign times the standard deviation of its layer: what is left of an initialisation when only signs
 * are kept (Zhou et al. 2019, section 4.1).
 */
export function signedConstant(weights: Weights): Weights {
  return mapValues(weights, (w) => {
    const mean = w.reduce((a, v) => a + v, 0) / w.length;
    const deviation = Math.sqrt(w.reduce((a, v) => a + (v - mean) ** 2, 0) / w.length);
    return w.map((v) => Math.sign(v) * deviation);
  });
}

export interface IterativePruningOptions {
  /** Share of all weights that is gone in the end. */
  ratio: number;
  rounds: number;
  scope?: Scope;
  /** Trains a rewound network with these masks held, and gives back its weights: the round's only costly part. */
  train: (masks: Masks, round: number) => Promise<Weights>;
}

/**
 * Iterative magnitude pruning (Frankle and Carbin 2019; Frankle et al. 2020): after each round of training the smallest
 * of the living weights go, a share of 1 − (1 − ratio)^(i/n) in all after round i of n; `train` rewinds what is left to
 * the initialisation, or to an early step, and trains it again. Starts with every weight of `weights` alive, and prunes
 * these: give `prunable` of a network with biases. Throws a `Problem` where `train` gives back other weights.
 */
export async function iterativePruning(
  weights: Weights,
  { ratio, rounds, scope, train }: IterativePruningOptions,
): Promise<Masks> {
  if (!(Number.isInteger(rounds) && rounds > 0))
    throw new Problem(`iterative pruning in ${rounds} rounds; take a whole number above 0`);
  let masks: Masks = mapValues(weights, (w) => new Uint8Array(w.length).fill(1));
  for (let round = 1; round <= rounds; round++) {
    const trained = await train(masks, round);
    requireFit(masks, "the masks", trained, "the trained weights");
    const alive = masks;
    const ours = new Map([...trained].filter(([name]) => alive.has(name)));
    const magnitudes = mapValues(ours, (w, name) =>
      w.map((v, i) => (alive.get(name)![i] ? Math.abs(v) : Number.NEGATIVE_INFINITY)),
    );
    masks = keepLargest(magnitudes, 1 - (1 - ratio) ** (round / rounds), scope);
  }
  return masks;
}
