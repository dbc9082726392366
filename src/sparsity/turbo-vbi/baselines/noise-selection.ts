import type { Graph, Value } from "../../../engine/graph.ts";
import { consumers, parameter, valueNamed } from "../../../engine/graph.ts";
import { add, exp, mul, sum } from "../../../engine/operators/index.ts";
import { apply, numberAttribute } from "../../../engine/operators/operator.ts";
import type { FlatArrays } from "../../../engine/parameters.ts";
import type { Shape } from "../../../engine/tensor.ts";
import { sizeOf, tensor } from "../../../engine/tensor.ts";
import { Problem } from "../../../problem.ts";
import type { Commit } from "../../k-anneal-state.ts";
import type { WeightLayout } from "../../lines.ts";
import { findWeights } from "../../lines.ts";
import { checkOptions, requireLayers, requireSelection } from "../check-options.ts";
import { createHeldZeros } from "../held-zeros.ts";
import { localReparameterization, logSigmaName } from "../local-reparameterization.ts";
import { createNoiseInputs } from "../noise-inputs.ts";
import type { PosteriorSparsifier } from "../posterior.ts";
import { roundsAt } from "../rounds.ts";

export interface NoiseSelectionOptions {
  /** The layers whose weights can go; by default all linear layers and convolutions. */
  layers?: readonly WeightLayout[];
  /** Samples in the training set: the likelihood counts so often. */
  samples: number;
  /** Share of the epochs that come first, without noise. Default 0: the network is trained already. */
  warmup?: number;
  /** Share of the epochs with noise; in the rest what is left trains alone. Default 1: nothing is cut. */
  select?: number;
  /** Epochs over which the weight of the penalty grows to `strength`. Default 3. */
  annealEpochs?: number;
  /** Factor on the penalty. Default 1: the bound as it is. */
  strength?: number;
  /** Factor on the learning rate of ln σ and ln α, which go a way of several units where weights go tenths. Default 5. */
  noiseRate?: number;
  seed?: number;
}

/** What a method says about one layer, as values of the training graph or as numbers. */
export interface NoisyLayer<T> {
  layout: ReadLayout;
  weights: T;
  /** ln σ of every weight, where weights have noise of their own. */
  logSigma?: T;
  /** ln α of everything that the layer reads, where that is noisy. */
  logAlpha?: T;
}

/** A layer with the number of features or channels that it reads. */
export interface ReadLayout extends WeightLayout {
  units: number;
}

/** How noise that training itself learns says which weights can go. */
export interface NoiseMethod {
  name: string;
  /** Weights are Gaussian, with this ln σ to start from. */
  logSigma?: number;
  /** What a layer reads is multiplied by N(1, α), one number a sample and feature or channel, with this ln α to start from. */
  logAlpha?: number;
  /** KL divergence of one layer, up to constants. */
  penalty(layer: NoisyLayer<Value>): Value;
  /** For every weight, in the order of storage, how much less noise it has than is allowed: below 0 it goes. */
  margin(layer: NoisyLayer<Float32Array>): Float32Array;
}

/**
 * Training under multiplicative or additive noise whose size is learnt, and after it a cut of all that is mostly noise: what
 * variational dropout and its relatives share.
 */
export function createNoiseSelection(
  graph: Graph,
  method: NoiseMethod,
  {
    layers = findWeights(graph),
    samples,
    annealEpochs = 3,
    strength = 1,
    noiseRate = 5,
    seed = 0,
    ...shares
  }: NoiseSelectionOptions,
): PosteriorSparsifier {
  const { name, logSigma, logAlpha } = method;
  checkOptions(name, { layers, samples, ...shares });
  requireLayers(name, layers, graph);
  const readers = readersOf(graph, layers, name);
  const layouts = [...readers.values()];
  const byParameter = new Map(layouts.map((l) => [l.parameter, l]));
  const inputs = createNoiseInputs(name, { seed });
  const zeros = createHeldZeros();
  const phases = { ...shares, roundEpochs: 1, annealRounds: annealEpochs };
  /** What trains beside weights, and has nothing to do any more when they have been chosen. */
  const settled = layouts.flatMap(({ parameter }) => [
    ...(logSigma === undefined ? [] : [logSigmaName(parameter)]),
    ...(logAlpha === undefined ? [] : [logAlphaName(parameter)]),
  ]);
  let parameters: FlatArrays;
  let moments: FlatArrays[] = [];
  let started = false;

  const sampling = localReparameterization({
    means: new Set(logSigma === undefined ? [] : byParameter.keys()),
    logSigma: logSigma ?? 0,
    noise: (like, place) => inputs.noise(like.graph, like.shape, place),
  });

  const layerOf = <T>(layout: ReadLayout, read: (name: string) => T): NoisyLayer<T> => ({
    layout,
    weights: read(layout.parameter),
    ...(logSigma !== undefined && { logSigma: read(logSigmaName(layout.parameter)) }),
    ...(logAlpha !== undefined && { logAlpha: read(logAlphaName(layout.parameter)) }),
  });
  const numbersOf = (layout: ReadLayout) => layerOf(layout, (n) => parameters.arrays[n]);
  const masksBy = (
    numbers: (layer: NoisyLayer<Float32Array>) => Float32Array,
    lives: (n: number) => boolean,
  ) =>
    new Map(
      layouts.map((l) => [l.parameter, Uint8Array.from(numbers(numbersOf(l)), (n) => Number(lives(n)))]),
    );
  /** After the cut, those that are not zero: margins say nothing any more of weights that train on. */
  const survivors = () =>
    masksBy(
      (layer) => layer.weights,
      (w) => w !== 0,
    );
  const candidates = () => masksBy(method.margin, (m) => m > 0);

  return {
    ...(logSigma !== undefined && sampling),
    name,
    ownsWeightDecay: new Set([...byParameter.keys(), ...settled]),
    rate: (parameter) => (settled.includes(parameter) ? noiseRate : 1),
    reparameterize: (value) => {
      inputs.declare(value.graph);
      const layout = byParameter.get(value.name);
      if (layout && logAlpha !== undefined) {
        const start = new Float32Array(layout.units).fill(logAlpha);
        parameter(value.graph, logAlphaName(value.name), tensor("float32", gateShape(layout, value), start));
      }
      return logSigma === undefined ? undefined : sampling.reparameterize(value);
    },
    replaceNode: (node, operands, target) => {
      const layout = readers.get(node.name);
      const x = operands[0];
      if (!layout || logAlpha === undefined || !x)
        return logSigma === undefined ? undefined : sampling.replaceNode(node, operands, target);
      const shape: Shape =
        node.op === "Conv" ? [...x.shape.slice(0, 2), ...x.shape.slice(2).map(() => 1)] : x.shape;
      const spread = exp(mul(valueNamed(target, logAlphaName(layout.parameter)), 0.5));
      const gate = add(mul(inputs.noise(target, shape, `${node.name}/input`), spread), 1);
      const gated = [mul(x, gate), ...operands.slice(1)];
      return (
        (logSigma === undefined ? undefined : sampling.replaceNode(node, gated, target)) ??
        apply(target, node.op, gated, node.attributes, { name: node.outputs[0] })
      );
    },
    penalty: (target) => {
      const terms = layouts.map((l) => method.penalty(layerOf(l, (n) => valueNamed(target, n))));
      return mul(terms.length === 1 ? terms[0] : sum(...terms), inputs.weight(target));
    },
    feeds: (moment) => {
      const { selecting, weight } = roundsAt(moment, phases);
      return inputs.feeds(moment.step, selecting, selecting ? (strength * weight) / samples : 0);
    },
    createOptimizer: (target, own) => {
      parameters = target.parameters;
      const optimizer = own();
      moments = Object.values(optimizer.state);
      return optimizer;
    },
    beforeEpoch: (moment) => {
      requireSelection(name, moment, shares);
      started ||= roundsAt(moment, phases).first;
    },
    beforeStep: ({ gradients }) => zeros.clear(gradients),
    atBoundary: async (moment, evaluate) => {
      const { last, polishes } = roundsAt(moment, phases);
      if (last && polishes) await zeros.cut(candidates(), { parameters, moments, settled }, evaluate);
    },
    metrics: () =>
      started
        ? Object.fromEntries(
            [...(zeros.holds() ? survivors() : candidates())].map(([p, mask]) => [
              `density/${byParameter.get(p)!.name}`,
              mask.reduce((a, b) => a + b, 0) / mask.length,
            ]),
          )
        : {},
    state: () => ({ started, commit: zeros.commit() ?? null }),
    restore: (saved) => {
      const old = saved as { started: boolean; commit: Commit | null };
      started = old.started;
      if (old.commit) zeros.restore(survivors(), old.commit);
    },
    posteriors: () =>
      started
        ? layouts.map((layout) => {
            const layer = numbersOf(layout);
            return {
              parameter: layout.parameter,
              mean: layer.weights,
              sigma: deviationsOf(layer),
              logOdds: method.margin(layer),
            };
          })
        : undefined,
    commit: () => zeros.commit(),
  };
}

/** The name under which ln α of what reads a parameter trains and is saved. */
export function logAlphaName(parameter: string): string {
  return `${parameter}/logAlpha`;
}

/** For each stored weight the feature or channel by which it is multiplied. */
export function unitOf({ shape: { rows, columns }, transposed, units }: ReadLayout): (i: number) => number {
  const taps = columns / units;
  return transposed ? (i) => Math.floor(i / rows) : (i) => Math.floor((i % columns) / taps);
}

/** The nodes that multiply by the layers' weights, by name. */
function readersOf(graph: Graph, layers: readonly WeightLayout[], name: string): Map<string, ReadLayout> {
  const readers = consumers(graph);
  return new Map(
    layers.map((layer) => {
      let [node] = readers.get(layer.parameter)!;
      if (node.op === "Transpose") [node] = readers.get(node.outputs[0])!;
      if (numberAttribute(node.attributes, "group", 1) !== 1)
        throw new Problem(`${name}: "${layer.name}" is a grouped convolution; leave that layer out`);
      const { shape } = graph.parameters.get(layer.parameter)!;
      const units = node.op === "Conv" ? shape[1] : layer.shape.columns;
      return [node.name, { ...layer, units }];
    }),
  );
}

/** Broadcasts against what the layer reads. */
function gateShape({ units }: ReadLayout, weights: Value): Shape {
  return [1, units, ...weights.shape.slice(2).map(() => 1)];
}

/**
 * Deviations of weights as if they were independent: of w(1 + √α ε) with noise σ of its own, √(αw² + (1 + α)σ²). What a
 * layer reads has one ε for all its weights, which this leaves out.
 */
function deviationsOf({ layout, weights, logSigma, logAlpha }: NoisyLayer<Float32Array>): Float32Array {
  const unit = unitOf(layout);
  return weights.map((w, i) => {
    const alpha = logAlpha ? Math.exp(logAlpha[unit(i)]) : 0;
    const variance = logSigma ? Math.exp(2 * logSigma[i]) : 0;
    return Math.sqrt(alpha * w * w + (1 + alpha) * variance);
  });
}

/** Weights for each feature or channel that a layer reads. */
export function weightsPerUnit({ shape, units }: ReadLayout): number {
  return sizeOf([shape.tiles, shape.rows, shape.columns]) / units;
}
