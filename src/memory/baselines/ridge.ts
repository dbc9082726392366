import { solveDefinite } from "../../linalg/definite.ts";
import { strongestInputs } from "../decode.ts";
import { type LinearOutputs, outputsFor } from "./linear-outputs.ts";
import { classScores, type PatternClassifier } from "./pattern-classifier.ts";
import type { PatternMemory } from "./pattern-memory.ts";

/**
 * Ridge regression from a pattern to an output for each class, 1 for its own and 0 for the others. Keeps every pattern;
 * whoever first asks waits for the weights, which takes the cube of the inputs or of the items, whichever are fewer.
 *
 * @param penalty λ > 0. Default 10.
 */
export function createRidgeClassifier(inputs: number, penalty = 10): PatternClassifier {
  const labels: string[] = [];
  const regression = createRegression(inputs, penalty);
  return {
    learn: (pattern, label) => {
      if (!labels.includes(label)) labels.push(label);
      regression.learn(pattern, [labels.indexOf(label)]);
    },
    classify: (pattern) => classScores(labels, regression.outputs(pattern, labels.length)),
  };
}

/**
 * Ridge regression from a pattern to itself (optimal linear associative memory, Kohonen & Ruohonen 1973, with a penalty): the
 * inputs with the largest outputs. Time and memory as for the classifier.
 *
 * @param penalty λ > 0. Default 10.
 */
export function createRidgeMemory(inputs: number, penalty = 10): PatternMemory {
  const regression = createRegression(inputs, penalty);
  return {
    learn: (pattern) => regression.learn(pattern, pattern),
    recognize: (cue, size) => strongestInputs(regression.outputs(cue, inputs), size),
  };
}

function createRegression(inputs: number, penalty: number) {
  const patterns: Uint32Array[] = [];
  const targets: Uint32Array[] = [];
  let fit: LinearOutputs | undefined;
  return {
    learn: (pattern: ArrayLike<number>, target: ArrayLike<number>) => {
      patterns.push(Uint32Array.from(pattern));
      targets.push(Uint32Array.from(target));
      fit = undefined;
    },
    outputs: (pattern: ArrayLike<number>, outputs: number) => {
      fit ??= regress(patterns, inputs, targets, outputs, penalty);
      return outputsFor(fit, pattern);
    },
  };
}

/**
 * Least Σ (y − W'x − c)² + λ Σ W², the constants free: (X'X + λI) W = X'Y with means taken off, or with fewer items than
 * inputs W = X'(XX' + λI)⁻¹ Y, which is the same.
 */
function regress(
  patterns: readonly Uint32Array[],
  inputs: number,
  targets: readonly Uint32Array[],
  outputs: number,
  penalty: number,
): LinearOutputs {
  const items = patterns.length;
  const mean = shares(patterns, inputs);
  const constants = shares(targets, outputs);
  const y = new Float64Array(items * outputs);
  for (const [i, target] of targets.entries()) {
    for (let o = 0; o < outputs; o++) y[i * outputs + o] = -constants[o];
    for (const o of target) y[i * outputs + o] += 1;
  }
  const weights = new Float64Array(inputs * outputs);
  const addByInput = () => {
    for (const [i, pattern] of patterns.entries())
      for (const j of pattern)
        for (let o = 0; o < outputs; o++) weights[j * outputs + o] += y[i * outputs + o];
  };
  if (items < inputs) {
    solveDefinite(itemProducts(patterns, mean, penalty), items, y, outputs);
    addByInput();
  } else {
    addByInput();
    solveDefinite(inputProducts(patterns, mean, penalty), inputs, weights, outputs);
  }
  for (let j = 0; j < inputs; j++)
    for (let o = 0; o < outputs; o++) constants[o] -= mean[j] * weights[j * outputs + o];
  return { weights, constants };
}

/** Share of the lists that each number is in. */
function shares(lists: readonly Uint32Array[], size: number): Float64Array {
  const share = new Float64Array(size);
  for (const list of lists) for (const j of list) share[j] += 1 / lists.length;
  return share;
}

/** XX' + λI with means taken off, [items, items]. */
function itemProducts(patterns: readonly Uint32Array[], mean: Float64Array, penalty: number): Float64Array {
  const items = patterns.length;
  const products = new Float64Array(items * items);
  const alongMean = patterns.map((pattern) => pattern.reduce((sum, j) => sum + mean[j], 0));
  const square = mean.reduce((sum, m) => sum + m * m, 0);
  const active = new Uint8Array(mean.length);
  for (const [a, pattern] of patterns.entries()) {
    for (const j of pattern) active[j] = 1;
    for (let b = 0; b <= a; b++)
      products[a * items + b] =
        patterns[b].reduce((sum, j) => sum + active[j], 0) - alongMean[a] - alongMean[b] + square;
    products[a * items + a] += penalty;
    for (const j of pattern) active[j] = 0;
  }
  return products;
}

/** X'X + λI with means taken off, [inputs, inputs]. */
function inputProducts(patterns: readonly Uint32Array[], mean: Float64Array, penalty: number): Float64Array {
  const inputs = mean.length;
  const products = new Float64Array(inputs * inputs);
  for (const pattern of patterns)
    for (const a of pattern) for (const b of pattern) products[a * inputs + b]++;
  for (let a = 0; a < inputs; a++) {
    for (let b = 0; b < inputs; b++) products[a * inputs + b] -= patterns.length * mean[a] * mean[b];
    products[a * inputs + a] += penalty;
  }
  return products;
}
