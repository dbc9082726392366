import { restart } from "../../nn/optimizers.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { clearing } from "./hold-masks.ts";
import type { Masks, Weights } from "./masks.ts";
import { composeMasks, mapValues, prunable, requireFit } from "./masks.ts";

export interface Pruning {
  /** Steps of training before it; 0: at initialisation. */
  after: number;
  /**
   * Which weights live from then on, by what they are then: `(weights) => magnitudeMasks(weights, 0.6)`. These are the
   * matrices and convolution kernels; `all` has the biases and normalisations besides, for a rule that runs the network.
   * What is gone stays gone, whatever this says.
   */
  masks: (weights: Weights, all: Weights) => Masks | Promise<Masks>;
  /** Where living weights go back to, the optimiser beginning anew: the initialisation, or the weights of an early step. */
  rewindTo?: Weights;
}

export interface Pruner extends Sparsifier {
  /** What lives now; undefined before the first pruning. */
  masks(): Masks | undefined;
}

/**
 * Prunes single weights at any moments of any training run, by any rule, with or without rewinding. Several prunings that
 * rewind are iterative magnitude pruning (Frankle and Carbin 2019, section 1) in one run. Training stops with a `Problem`
 * where masks or weights to rewind to are of another model.
 */
export function pruneWhileTraining(prunings: readonly Pruning[]): Pruner {
  const ahead = prunings.toSorted((a, b) => a.after - b.after);
  let done = 0;
  let masks: Masks | undefined;
  let clear: ReturnType<typeof clearing> | undefined;
  const hold = (found: Masks) => {
    masks = found;
    clear = clearing(found);
  };
  return {
    name: "pruning",
    masks: () => masks,
    beforeStep: async ({ parameters, gradients, optimizer, step }, gradientAt) => {
      const before = done;
      for (; done < ahead.length && ahead[done].after <= step; done++) {
        const { masks: choose, rewindTo } = ahead[done];
        const live = mapValues(parameters.tensors, ({ data }) => data.slice());
        const chosen = await choose(prunable(live, { parameters: parameters.tensors }), live);
        requireFit(chosen, "the masks", parameters.tensors, "the model");
        hold(composeMasks(chosen, masks ?? new Map()));
        if (rewindTo) {
          requireFit(rewindTo, "the weights to rewind to", parameters.tensors, "the model");
          for (const [name, w] of rewindTo) parameters.arrays[name].set(w);
          restart(optimizer, Object.keys(parameters.arrays));
        }
        clear!(parameters);
        for (const moments of Object.values(optimizer.state)) clear!(moments);
      }
      if (done > before) {
        // Those at hand are of the weights as they were.
        const anew = new Float32Array(gradients.values.length);
        await gradientAt(parameters.values, anew);
        gradients.values.set(anew);
      }
      clear?.(gradients);
    },
    state: () => ({ done, masks: masks && [...masks].map(([name, mask]) => [name, mask.join("")]) }),
    restore: (saved) => {
      const old = saved as { done: number; masks?: [string, string][] };
      done = old.done;
      if (old.masks) hold(new Map(old.masks.map(([name, bits]) => [name, Uint8Array.from(bits, Number)])));
    },
  };
}
