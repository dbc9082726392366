import type { GroupProxStep } from "./group-prox.ts";
import type { Arrays } from "./groups.ts";
import { arrayOf, forEachRun } from "./groups.ts";
import { halfSpaceStep } from "./half-space.ts";
import type { KAnnealOptions } from "./k-anneal-options.ts";
import type { Regularizer } from "./regularizer.ts";
import { createRegularizer } from "./regularizer.ts";

/** Half-space steps of the layers, and whether an epoch takes them. */
export interface HalfSpaceRounds {
  /**
   * Decides what kind of steps the epoch takes, from the full gradient of the loss at its first point (`adaptive`).
   *
   * @param open which layers are not frozen; the step each would take.
   */
  decide(arrays: Arrays, gradient: Arrays, open: readonly (GroupProxStep | undefined)[]): void;
  /** Whether the epoch was decided to take half-space steps. */
  readonly decided: boolean;
  /** Keeps the weights as they are before a step of the optimiser. */
  remember(arrays: Arrays): void;
  /** Layer i's half-space step, after the optimiser's; at most `room` says how many of `alive` groups become zero. */
  step(i: number, arrays: Arrays, step: GroupProxStep, room: (norms: Float64Array) => number): void;
  /** Belongs into checkpoints. */
  state(): number[][] | undefined;
  restore(near: readonly (readonly number[])[] | undefined): void;
}

/** Weight of the proximal part in the decision: neither kind of step is preferred. */
const MU = 1;

/**
 * The switching rule of AdaHSPG+ (Dai, Chen, Wang, Robinson, TMLR 2023; wgsef.md 3.8), as far as its authors describe it
 * in public: each round of N/B steps is either proximal or half-space, by which has more to do, and a half-space round
 * moves groups that are non-zero and far enough from zero, no others. With s = prox(θ − α∇loss) − θ at the round's first
 * point, H are the groups with θ_j ≠ 0, θ_j + s_j ≠ 0 and ‖θ_j‖ ≥ α‖∇_j(loss + penalty)‖, which no step of length α
 * carries across zero; the round is a half-space one where ‖s_H‖ > μ‖s_rest‖, μ = 1. That bound on the distance, and s
 * as what measures both parts, are choices of ours; so is that half-space steps go along variance-reduced gradients as well.
 */
export function createHalfSpaceRounds(
  layers: KAnnealOptions["layers"],
  penalty: NonNullable<KAnnealOptions["penalty"]>,
): HalfSpaceRounds {
  const regularizers = layers.map((l): Regularizer => createRegularizer(penalty, l.partition, l.gates));
  const names = new Set(layers.flatMap((l) => l.partition.parts.map((p) => p.parameter)));
  const before: Record<string, Float32Array> = {};
  /** Of each layer the groups that half-space steps may move, m times 1 or 0; undefined: a proximal round. */
  let far: Uint8Array[] | undefined;
  return {
    get decided() {
      return far !== undefined;
    },
    decide: (arrays, gradient, open) => {
      let [inHalfSpace, inRest] = [0, 0];
      const found = layers.map(({ partition }, i) => {
        const step = open[i];
        const mask = new Uint8Array(partition.groups);
        if (!step) return mask;
        const { squares, lengths, slopes, alive } = proximalStep(i, arrays, gradient, step);
        for (let j = 0; j < mask.length; j++) {
          mask[j] = Number(lengths[j] > 0 && alive[j] > 0 && lengths[j] >= step.alpha ** 2 * slopes[j]);
          if (mask[j]) inHalfSpace += squares[j];
          else inRest += squares[j];
        }
        return mask;
      });
      far = Math.sqrt(inHalfSpace) > MU * Math.sqrt(inRest) ? found : undefined;
    },
    remember: (arrays) => {
      for (const name of names) before[name] = arrays[name].slice();
    },
    step: (i, arrays, step, room) => {
      const norms = regularizers[i].norms(before).slice();
      halfSpaceStep(layers[i].partition, arrays, {
        before,
        pull: regularizers[i].pull!(before, step),
        alpha: step.alpha,
        epsilon: 0,
        atMost: room(norms),
        only: far?.[i],
      });
    },
    state: () => far?.map((mask) => [...mask]),
    restore: (saved) => {
      far = saved?.map((mask) => Uint8Array.from(mask));
    },
  };

  /** Squared norms by group: of s, of θ, of the gradient of loss and penalty, and of θ + s. */
  function proximalStep(i: number, arrays: Arrays, gradient: Arrays, step: GroupProxStep) {
    const { partition } = layers[i];
    const regularizer = regularizers[i];
    const pull = regularizer.pull!(arrays, step);
    const after: Record<string, Float32Array> = {};
    for (const { parameter } of partition.parts)
      after[parameter] ??= arrays[parameter].map((w, e) => w - step.alpha * gradient[parameter][e]);
    regularizer.prox(after, step);
    const sums = () => new Float64Array(partition.groups);
    const [squares, lengths, slopes, alive] = [sums(), sums(), sums(), sums()];
    for (const part of partition.parts) {
      const [w, g, p] = [arrayOf(part, arrays), arrayOf(part, gradient), arrayOf(part, after)];
      forEachRun(part, partition.groups, (j, from, to) => {
        for (let e = from; e < to; e++) {
          squares[j] += (p[e] - w[e]) ** 2;
          lengths[j] += w[e] ** 2;
          slopes[j] += (g[e] + pull[j] * w[e]) ** 2;
          alive[j] += p[e] ** 2;
        }
      });
    }
    return { squares, lengths, slopes, alive };
  }
}
