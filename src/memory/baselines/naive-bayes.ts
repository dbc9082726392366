import { strongestInputs } from "../decode.ts";
import { type LinearOutputs, outputsFor } from "./linear-outputs.ts";
import { classScores, type PatternClassifier } from "./pattern-classifier.ts";
import type { PatternMemory } from "./pattern-memory.ts";

/**
 * Bernoulli naive Bayes: ln P(class) + Σ_j ln P(x_j | class), with P(class) its share of the items and
 * P(x_j = 1 | class) = (n_j + α)/(n + 2α) where n_j of its n items have input j.
 *
 * @param smoothing α > 0. Default 1, Laplace's.
 */
export function createNaiveBayesClassifier(inputs: number, smoothing = 1): PatternClassifier {
  const classes = new Map<string, { items: number; counts: Uint32Array }>();
  let items = 0;
  let fit: LinearOutputs | undefined;
  return {
    learn: (pattern, label) => {
      const own = classes.get(label) ?? { items: 0, counts: new Uint32Array(inputs) };
      classes.set(label, own);
      items++;
      own.items++;
      for (let a = 0; a < pattern.length; a++) own.counts[pattern[a]]++;
      fit = undefined;
    },
    classify: (pattern) => {
      fit ??= posteriors(Array.from(classes.values()), items, inputs, smoothing);
      return classScores(classes.keys(), outputsFor(fit, pattern));
    },
  };
}

function posteriors(
  classes: readonly { items: number; counts: Uint32Array }[],
  all: number,
  inputs: number,
  smoothing: number,
): LinearOutputs {
  const weights = new Float64Array(inputs * classes.length);
  const constants = new Float64Array(classes.length);
  for (const [c, { items, counts }] of classes.entries()) {
    constants[c] = Math.log(items / all);
    for (let j = 0; j < inputs; j++) {
      const { odds, off } = logs(counts[j], items, smoothing);
      constants[c] += off;
      weights[j * classes.length + c] = odds;
    }
  }
  return { weights, constants };
}

/**
 * Naive Bayes asked for patterns: the inputs with the highest odds that they are on, given which of the others the cue has
 * and has not. An input is no witness of itself, or whatever is wrong would stay.
 *
 * @param smoothing α > 0. Default 0.01: where an input is in few of the items, Laplace's 1 would drown what they say.
 */
export function createNaiveBayesMemory(inputs: number, smoothing = 0.01): PatternMemory {
  const together = new Uint32Array(inputs * inputs);
  let items = 0;
  let fit: LinearOutputs | undefined;
  return {
    learn: (pattern) => {
      items++;
      for (let a = 0; a < pattern.length; a++)
        for (let b = 0; b < pattern.length; b++) together[pattern[a] * inputs + pattern[b]]++;
      fit = undefined;
    },
    recognize: (cue, size) => {
      fit ??= oddsOfInputs(together, items, inputs, smoothing);
      return strongestInputs(outputsFor(fit, cue), size);
    },
  };
}

function oddsOfInputs(
  together: Uint32Array,
  items: number,
  inputs: number,
  smoothing: number,
): LinearOutputs {
  const weights = new Float64Array(inputs * inputs);
  const constants = new Float64Array(inputs);
  const count = (j: number) => together[j * inputs + j];
  for (let j = 0; j < inputs; j++) {
    constants[j] = logs(count(j), items, smoothing).odds;
    for (let i = 0; i < inputs; i++) {
      if (i === j) continue;
      const both = together[j * inputs + i];
      const on = logs(both, count(j), smoothing);
      const off = logs(count(i) - both, items - count(j), smoothing);
      constants[j] += on.off - off.off;
      weights[i * inputs + j] = on.odds - off.odds;
    }
  }
  return { weights, constants };
}

/** ln p/(1 − p) and ln(1 − p) of an input that `count` of the items have. */
function logs(count: number, items: number, smoothing: number): { odds: number; off: number } {
  const without = items - count + smoothing;
  return { odds: Math.log((count + smoothing) / without), off: Math.log(without / (items + 2 * smoothing)) };
}
