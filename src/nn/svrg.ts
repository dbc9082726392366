import type { FlatArrays } from "../engine/parameters.ts";
import { flatArrays } from "../engine/parameters.ts";
import type { GradientAt } from "./sparsifier.ts";

export interface Svrg {
  /** What the next steps depend on: belongs into the optimiser's state, so that checkpoints hold it. */
  readonly state: Readonly<Record<"snapshot" | "fullGradient", FlatArrays>>;
  /** Starts a round at the weights as they are; `gradientAt` is the mean over the whole round's batches. */
  startRound(gradientAt: GradientAt): Promise<void>;
  /** Replaces the batch's gradient by its variance-reduced form; `gradientAt` is of the same batch. */
  correct(gradientAt: GradientAt): Promise<void>;
}

/**
 * Stochastic variance-reduced gradients (Johnson and Zhang 2013; with proximal steps Xiao and Zhang 2014): a step goes
 * along g_B(θ) − g_B(θ̃) + G, where G is the full gradient at the round's first point θ̃. It is unbiased, and its
 * variance vanishes at a solution, so that a constant learning rate converges. Every step costs two gradients.
 */
export function createSvrg(target: { parameters: FlatArrays; gradients: FlatArrays }): Svrg {
  const layout = target.parameters.segments.map((s) => [s.name, s.shape] as const);
  const state = { snapshot: flatArrays(layout), fullGradient: flatArrays(layout) };
  const there = new Float32Array(target.gradients.values.length);
  return {
    state,
    startRound: async (gradientAt) => {
      state.snapshot.values.set(target.parameters.values);
      await gradientAt(state.snapshot.values, state.fullGradient.values);
    },
    correct: async (gradientAt) => {
      await gradientAt(state.snapshot.values, there);
      const g = target.gradients.values;
      const full = state.fullGradient.values;
      for (let i = 0; i < g.length; i++) g[i] += full[i] - there[i];
    },
  };
}
