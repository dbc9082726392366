import type { FlatArrays } from "../../engine/parameters.ts";
import { flatArrays } from "../../engine/parameters.ts";
import type { Optimizer, OptimizerSpec } from "../../nn/optimizers.ts";
import { createOptimizer } from "../../nn/optimizers.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { deriveSeed, random } from "../../random.ts";
import type { Masks, Scores } from "./masks.ts";
import { keepLargest, mapValues, prunable, requireFit } from "./masks.ts";

export interface EdgePopupOptions {
  /** Share of each layer's weights that take part. Default .5. */
  keepRatio?: number;
  /** Of the scores. Default SGD with momentum .9, as published. */
  optimizer?: OptimizerSpec;
  /** Weight decay of the scores. Default 0. */
  weightDecay?: number;
  /** The first scores; by default uniform in ±√(6/fan-in) with this seed. */
  scores?: Scores;
  seed?: number;
}

export interface EdgePopup extends Sparsifier {
  masks(): Masks;
  /** Gradients of the scores in the last step. */
  readonly scoreGradients: () => Scores;
}

/**
 * Searches a subnetwork of weights that never change (Ramanujan et al. 2020, section 3): every weight has a score, the
 * weights with the largest |score| of their layer take part, and the scores learn: the mask passes gradients straight
 * through, so that of |score| is the weight times the gradient of the effective weight (eq. 3).
 *
 * While it trains, the model's parameters hold the effective weights. Biases and normalisations all take part. Throws a
 * `Problem`, when training starts, for scores of another model.
 */
export function createEdgePopup(options: EdgePopupOptions = {}): EdgePopup {
  const {
    keepRatio = 0.5,
    optimizer: spec = { kind: "sgd", momentum: 0.9 },
    weightDecay = 0,
    seed = 0,
  } = options;
  let scores: FlatArrays | undefined;
  let scoreGradients: FlatArrays | undefined;
  const masks = (): Masks =>
    keepLargest(
      mapValues(scores!.tensors, ({ data }) => data.map(Math.abs)),
      1 - keepRatio,
      "local",
    );
  return {
    name: "edge-popup",
    masks,
    scoreGradients: () => mapValues(scoreGradients!.tensors, ({ data }) => data),
    createOptimizer: ({ parameters, gradients }): Optimizer => {
      const searched = prunable(parameters.tensors, { parameters: parameters.tensors });
      if (options.scores) requireFit(options.scores, "the scores", searched, "the matrices of the model");
      const layout = [...searched].map(([name, { shape }]) => [name, shape] as const);
      const weights = parameters.values.slice();
      const initial = mapValues(searched, ({ data }) => data.slice());
      scores = flatArrays(layout);
      scoreGradients = flatArrays(layout);
      for (const [name, { data, shape }] of scores.tensors) {
        const given = options.scores?.get(name);
        const rng = random(deriveSeed(seed, "edge-popup", name));
        const bound = Math.sqrt(6 / shape[shape.length - 1]);
        for (let i = 0; i < data.length; i++) data[i] = given ? given[i] : (2 * rng.uniform() - 1) * bound;
      }
      const inner = createOptimizer(spec, {
        parameters: scores,
        gradients: scoreGradients,
        weightDecay: () => weightDecay,
      });
      const [s, g] = [scores.arrays, scoreGradients.arrays];
      const select = () => {
        parameters.values.set(weights);
        for (const [name, mask] of masks()) {
          const array = parameters.arrays[name];
          for (let i = 0; i < mask.length; i++) if (!mask[i]) array[i] = 0;
        }
      };
      select();
      return {
        state: { ...inner.state, scores },
        get steps() {
          return inner.steps;
        },
        set steps(value) {
          inner.steps = value;
        },
        step: (learningRate) => {
          // The mask is a function of |score|, hence the sign.
          for (const [name, w] of initial)
            for (let i = 0; i < w.length; i++)
              g[name][i] = gradients.arrays[name][i] * w[i] * Math.sign(s[name][i]);
          inner.step(learningRate);
          select();
        },
      };
    },
  };
}
