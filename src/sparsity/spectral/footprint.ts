import type { FlatArrays } from "../../engine/parameters.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { Problem } from "../../problem.ts";

/** What training holds between steps besides data and activations, measured on the arrays that exist. */
export interface Footprint {
  /** Numbers that an optimiser changes. */
  trainable: number;
  /** Bytes of all weights, trained or not. */
  weights: number;
  gradients: number;
  /** Bytes of what the optimiser remembers: moments, projections. */
  optimizer: number;
}

/** A method that can say what it holds. */
export interface Measured {
  /** Once training has begun. */
  footprint(): Footprint;
}

/**
 * Adds `footprint` to a method. `resting` are the weights that no optimiser changes; they go into checkpoints with the
 * optimiser's state.
 */
export function measured<S extends Sparsifier>(
  method: S,
  resting?: () => FlatArrays | undefined,
): S & Measured {
  const inner = method.createOptimizer?.bind(method);
  let found: (() => Footprint) | undefined;
  return Object.assign(method, {
    createOptimizer: ((target, own, spec) => {
      const optimizer = inner ? inner(target, own, spec) : own();
      const bytes = (arrays: Record<string, FlatArrays>) =>
        Object.values(arrays).reduce((sum, a) => sum + a.values.byteLength, 0);
      const state = { ...optimizer.state };
      const held = resting?.();
      found = () => ({
        trainable: target.parameters.values.length,
        weights: target.parameters.values.byteLength + (held?.values.byteLength ?? 0),
        gradients: target.gradients.values.byteLength,
        optimizer: bytes(state),
      });
      return held ? Object.assign(optimizer, { state: { ...state, resting: held } }) : optimizer;
    }) satisfies Sparsifier["createOptimizer"],
    footprint: () => {
      if (!found) throw new Problem(`${method.name}: what training holds is known once it has begun`);
      return found();
    },
  });
}

/** Every weight trains: the method that all others are compared with. */
export function fullRank(): Sparsifier & Measured {
  return measured({ name: "full" });
}
