import type { FlatArrays } from "../../engine/parameters.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import type { Masks } from "./masks.ts";
import { requireFit } from "./masks.ts";

/**
 * Trains weight ∘ mask: pruned weights are zero when training starts, and stay exactly zero, because their gradients are
 * cleared before the optimiser sees them: neither momentum nor weight decay moves them. Throws a `Problem`, when training
 * starts, for masks of another model.
 */
export function holdMasks(masks: Masks): Sparsifier {
  const clear = clearing(masks);
  return {
    name: "mask",
    createOptimizer: ({ parameters }, own) => {
      requireFit(masks, "the masks", parameters.tensors, "the model");
      clear(parameters);
      return own();
    },
    beforeStep: ({ gradients }) => clear(gradients),
  };
}

/** Sets to zero what masks have pruned, in weights, gradients or moments. */
export function clearing(masks: Masks): (values: Pick<FlatArrays, "arrays">) => void {
  const dead = [...masks].map(
    ([name, mask]) => [name, Uint32Array.from(mask.keys()).filter((i) => mask[i] === 0)] as const,
  );
  return ({ arrays }) => {
    for (const [name, indices] of dead) {
      const array = arrays[name];
      for (let i = 0; i < indices.length; i++) array[indices[i]] = 0;
    }
  };
}
