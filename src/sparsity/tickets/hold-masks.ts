import type { Sparsifier } from "../../nn/sparsifier.ts";
import type { Masks } from "./masks.ts";

/**
 * Keeps pruned weights at exactly zero throughout training: neither gradient nor momentum nor weight decay moves them.
 * The model's weights must be masked when training starts (`maskWeights`, `loadWeights`).
 */
export function holdMasks(masks: Masks): Sparsifier {
  const dead = new Map(
    [...masks].map(([name, mask]) => [name, Uint32Array.from(mask.keys()).filter((i) => mask[i] === 0)]),
  );
  return {
    name: "mask",
    afterStep: ({ parameters, optimizer }) => {
      const arrays = [parameters, ...Object.values(optimizer.state)];
      for (const [name, indices] of dead)
        for (const { arrays: byName } of arrays) {
          const array = byName[name];
          for (let i = 0; i < indices.length; i++) array[indices[i]] = 0;
        }
    },
  };
}
