import type { FlatArrays } from "../../engine/parameters.ts";
import { flatArrays } from "../../engine/parameters.ts";
import type { Optimizer } from "../../nn/optimizers.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { Problem } from "../../problem.ts";
import { deriveSeed, random } from "../../random.ts";
import type { Masks, Weights } from "./masks.ts";
import { magnitudeMasks, mapValues, prunable } from "./masks.ts";
import { smallestAt } from "./select.ts";

export interface NetworkSurgeryOptions {
  /** Share of the weights of matrices and convolutions that lives in the end, of all together. */
  keep: number;
  /** Steps after which the mask stays as it is. */
  until: number;
  /** Weights between 1 − margin and 1 + margin times the threshold stay what they are. Default .1, as published. */
  margin?: number;
  seed?: number;
}

export interface NetworkSurgery extends Sparsifier {
  /** What lives now. */
  masks(): Masks;
}

/** In step t the mask is chosen anew with probability 1/(1 + t/10,000), as in the authors' settings. */
const FADING = 1e-4;

/**
 * Dynamic network surgery (Guo, Yao and Chen 2016, arXiv 1608.04493, algorithm 1): weights that are pruned go on training, by the
 * gradient of the weight that the network has in their place, and come back when they have grown. In the authors' method
 * the threshold of each layer is a multiple of its weights' spread; here one threshold for all layers leaves the share `keep`.
 *
 * While it trains, the model's parameters hold the weights in use. Throws a `Problem` for a share that is none.
 */
export function createNetworkSurgery({
  keep,
  until,
  margin = 0.1,
  seed = 0,
}: NetworkSurgeryOptions): NetworkSurgery {
  if (!(keep > 0 && keep <= 1)) throw new Problem(`keep is ${keep}; take a share above 0 and at most 1`);
  /** All weights, pruned ones too. */
  let dense: FlatArrays | undefined;
  /** 1 where a weight lives. */
  let alive: FlatArrays | undefined;
  let rng = random(deriveSeed(seed, "network-surgery"));
  const searched = () => {
    const { tensors } = dense!;
    return mapValues(prunable(tensors, { parameters: tensors }), ({ data }) => data);
  };
  const choose = () => {
    const weights = searched();
    const limit = smallestKept(weights, keep);
    for (const [name, w] of weights) {
      const mask = alive!.arrays[name];
      for (let i = 0; i < w.length; i++)
        if (Math.abs(w[i]) < (1 - margin) * limit) mask[i] = 0;
        else if (Math.abs(w[i]) >= (1 + margin) * limit) mask[i] = 1;
    }
  };
  /** In the end as many as were asked for. */
  const settle = () => {
    for (const [name, mask] of magnitudeMasks(searched(), 1 - keep)) alive!.arrays[name].set(mask);
  };

  return {
    name: "network-surgery",
    masks: () => mapValues(searched(), (_, name) => Uint8Array.from(alive!.arrays[name])),
    createOptimizer: ({ parameters }, own): Optimizer => {
      const layout = parameters.segments.map(({ name, shape }) => [name, shape] as const);
      [dense, alive] = [flatArrays(layout, parameters), flatArrays(layout, parameters)];
      dense.values.set(parameters.values);
      alive.values.fill(1);
      const inner = own();
      const use = () => {
        for (let i = 0; i < parameters.values.length; i++)
          parameters.values[i] = alive!.values[i] ? dense!.values[i] : 0;
      };
      choose();
      use();
      return {
        state: { ...inner.state, dense, alive },
        restarts: inner.restarts,
        get steps() {
          return inner.steps;
        },
        set steps(value) {
          inner.steps = value;
        },
        step: (learningRate) => {
          parameters.values.set(dense!.values);
          inner.step(learningRate);
          dense!.values.set(parameters.values);
          if (inner.steps < until && rng.uniform() < 1 / (1 + FADING * inner.steps)) choose();
          if (inner.steps === until) settle();
          use();
        },
      };
    },
    state: () => rng.state(),
    restore: (saved) => {
      rng = random(saved as number);
    },
  };
}

/** The smallest |weight| where the share `keep` of them lives. */
function smallestKept(weights: Weights, keep: number): number {
  const all = new Float64Array([...weights.values()].reduce((n, w) => n + w.length, 0));
  let at = 0;
  for (const w of weights.values()) for (const v of w) all[at++] = Math.abs(v);
  return smallestAt(all, Math.min(all.length - 1, Math.floor((1 - keep) * all.length)));
}
