import type { Value } from "../../engine/graph.ts";
import { input, valueNamed } from "../../engine/graph.ts";
import { mul, sum } from "../../engine/operators/index.ts";
import type { FlatArrays } from "../../engine/parameters.ts";
import { flatArrays } from "../../engine/parameters.ts";
import type { TrainingMoment } from "../../nn/sparsifier.ts";
import type { Commit } from "../k-anneal-state.ts";
import { fromLines, toLines } from "../lines.ts";
import { checkOptions, requireLayers, requireSelection } from "./check-options.ts";
import { likelyWeights } from "./choose.ts";
import { gaussianPenalty } from "./gaussian-penalty.ts";
import { createHeldZeros } from "./held-zeros.ts";
import { localReparameterization, logSigmaName } from "./local-reparameterization.ts";
import { logit } from "./log-odds.ts";
import type { ModuleA } from "./module-a.ts";
import { createModuleA } from "./module-a.ts";
import { createNoiseInputs } from "./noise-inputs.ts";
import type { TurboVbiLayer, TurboVbiOptions } from "./options.ts";
import type { Posterior, PosteriorSparsifier } from "./posterior.ts";
import type { PrecisionPrior } from "./precision-prior.ts";
import { precisionPrior } from "./precision-prior.ts";
import { createPrior, densityOf } from "./priors/kinds.ts";
import { sendMarginals, sendMessages } from "./priors/prior.ts";
import { roundsAt } from "./rounds.ts";
import type { Supports } from "./supports.ts";

export type { CustomPrior, TurboVbiLayer, TurboVbiOptions } from "./options.ts";

const precisionInput = (parameter: string) => `${parameter}/precision`;

/**
 * Structured Bayesian compression (Xia, Tsang and Lau 2023; turbovbi.md 3.6). Every weight of the layers gets a Gaussian
 * posterior, a precision and a support bit. Batches train means and variances against the expected precisions; after each
 * epoch Module A refreshes precisions and support, and after each round Module B sends messages along the support prior.
 * In the end the weights whose support is off are zero and stay so. Throws a `Problem` for options that do not fit together,
 * and when training starts for layers of another model and for too few epochs.
 */
export function createTurboVbi(options: TurboVbiOptions): PosteriorSparsifier {
  const {
    layers,
    samples,
    slab = 2,
    logSigma = -6,
    variance = "learned",
    messages = "extrinsic",
    learnPrior = false,
    seed = 0,
  } = options;
  checkOptions("turbo-vbi", options);
  const learned = variance === "learned";
  const send = messages === "published" ? sendMarginals : sendMessages;
  const priors = layers.map(({ prior, shape }) =>
    prior?.kind === "custom" ? prior.create(shape) : createPrior(prior, shape),
  );
  const initial = layers.map(({ prior }) =>
    logit(prior.kind === "custom" ? prior.density : densityOf(prior)),
  );
  const precisions = layers.map((l) => l.precision);
  let modules: ModuleA[] = [];
  /** In the order of storage; checkpoints hold them as they hold an optimiser's moments. */
  let parameters: FlatArrays;
  let incoming: FlatArrays | undefined;
  let posterior: FlatArrays;
  let precision: FlatArrays;
  let moments: FlatArrays[] = [];
  let started = false;
  const zeros = createHeldZeros();
  const inputs = createNoiseInputs("turbo-vbi", { seed, noisy: learned });
  const settled = learned ? layers.map((l) => logSigmaName(l.parameter)) : [];

  const sampling = localReparameterization({
    means: new Set(learned ? layers.map((l) => l.parameter) : []),
    logSigma,
    noise: (like, place) => inputs.noise(like.graph, like.shape, place),
  });

  /** What is known of a layer, in the order of its prior. */
  const supportsOf = (i: number): Supports => {
    const layer = layers[i];
    const read = ({ arrays }: FlatArrays) => toLines(arrays[layer.parameter], layer);
    const supports: Supports = {
      secondMoments: read(parameters),
      incoming: read(incoming!),
      posterior: read(posterior),
      evidence: new Float64Array(parameters.arrays[layer.parameter].length),
      precision: read(precision),
    };
    const { secondMoments } = supports;
    const logSigmas = learned ? toLines(parameters.arrays[logSigmaName(layer.parameter)], layer) : undefined;
    for (let n = 0; n < secondMoments.length; n++)
      secondMoments[n] = secondMoments[n] ** 2 + (logSigmas ? Math.exp(2 * logSigmas[n]) : 0);
    return supports;
  };

  /** Module A, and Module B where a round ends, for every layer. */
  function update(messagesToo: boolean): void {
    layers.forEach((layer, i) => {
      const supports = supportsOf(i);
      modules[i](supports);
      if (messagesToo) {
        send(priors[i], supports);
        modules[i](supports);
        if (learnPrior) priors[i].learn?.(supports.evidence);
      }
      const write = (values: Float64Array, { arrays }: FlatArrays) =>
        fromLines(values, layer, arrays[layer.parameter]);
      write(supports.incoming, incoming!);
      write(supports.posterior, posterior);
      write(supports.precision, precision);
    });
  }

  /** Posteriors start around the weights as they are, which set the scale of the slab. */
  function start(): void {
    started = true;
    layers.forEach(({ parameter }, i) => {
      incoming!.arrays[parameter].fill(initial[i]);
      posterior.arrays[parameter].fill(initial[i]);
      precisions[i] ??= precisionPrior(slab * varianceOf(parameters.arrays[parameter]));
    });
    makeModules();
    update(false);
  }

  function makeModules(): void {
    modules = precisions.map((prior) => createModuleA({ ...options, prior: prior! }));
  }

  const phasesOf = (moment: Pick<TrainingMoment, "epoch" | "epochs">) => roundsAt(moment, options);

  const posteriorOf = (layer: TurboVbiLayer): Posterior => {
    const { arrays } = parameters;
    return {
      parameter: layer.parameter,
      mean: arrays[layer.parameter],
      sigma: learned
        ? arrays[logSigmaName(layer.parameter)].map(Math.exp)
        : new Float32Array(arrays[layer.parameter].length),
      logOdds: posterior.arrays[layer.parameter],
    };
  };
  const posteriors = () => (incoming ? layers.map(posteriorOf) : undefined);

  return {
    ...(learned && sampling),
    name: "turbo-vbi",
    ownsWeightDecay: new Set(layers.flatMap((l) => [l.parameter, logSigmaName(l.parameter)])),
    reparameterize: (value) => {
      inputs.declare(value.graph);
      return sampling.reparameterize(value);
    },
    penalty: (graph) => {
      requireLayers("turbo-vbi", layers, graph);
      const terms = layers.map(({ parameter }): Value => {
        const mean = valueNamed(graph, parameter);
        const rho = input(graph, precisionInput(parameter), mean.shape, { batched: false });
        const spread = learned && {
          variance: sampling.variance(graph, parameter),
          logSigma: valueNamed(graph, logSigmaName(parameter)),
        };
        return gaussianPenalty(mean, rho, spread || undefined);
      });
      return mul(terms.length === 1 ? terms[0] : sum(...terms), inputs.weight(graph));
    },
    feeds: (moment) => {
      const { selecting, weight } = phasesOf(moment);
      return {
        ...inputs.feeds(moment.step, selecting, selecting ? weight / samples : 0),
        ...Object.fromEntries(
          layers.map(({ parameter }) => [precisionInput(parameter), precision.tensors.get(parameter)!]),
        ),
      };
    },
    createOptimizer: (target, own) => {
      parameters = target.parameters;
      const layout = layers.map((l) => [l.parameter, parameters.tensors.get(l.parameter)!.shape] as const);
      [incoming, posterior, precision] = [0, 1, 2].map(() => flatArrays(layout));
      const optimizer = own();
      moments = Object.values(optimizer.state);
      const state = { ...optimizer.state, incoming, posterior, precision };
      return Object.assign(optimizer, { state });
    },
    beforeEpoch: (moment) => {
      requireSelection("turbo-vbi", moment, options);
      if (phasesOf(moment).first && !started) start();
    },
    beforeStep: ({ gradients }) => zeros.clear(gradients),
    atBoundary: async (moment, evaluate) => {
      const { selecting, last, polishes, endsRound } = phasesOf(moment);
      if (!selecting) return;
      update(endsRound);
      if (last && polishes) await zeros.cut(masksOf(), { parameters, moments, settled }, evaluate);
    },
    metrics: () =>
      started
        ? Object.fromEntries(
            layers.map(({ name, parameter }) => [`density/${name}`, shareOn(posterior.arrays[parameter])]),
          )
        : {},
    state: () => ({
      started,
      precisions: precisions.map((p) => p ?? null),
      priors: priors.map((p) => p.state?.() ?? null),
      commit: zeros.commit() ?? null,
    }),
    restore: (saved) => {
      const old = saved as {
        started: boolean;
        precisions: (PrecisionPrior | null)[];
        priors: unknown[];
        commit: Commit | null;
      };
      started = old.started;
      old.precisions.forEach((p, i) => (precisions[i] = p ?? undefined));
      old.priors.forEach((p, i) => {
        if (p !== null) priors[i].restore?.(p);
      });
      if (started) makeModules();
      if (old.commit) zeros.restore(masksOf(), old.commit);
    },
    posteriors,
    commit: () => zeros.commit(),
  };

  /** Which weights live, from what was known when they were chosen. */
  function masksOf(): Map<string, Uint8Array> {
    return new Map(
      layers.map(({ parameter }) => [parameter, likelyWeights({ logOdds: posterior.arrays[parameter] })]),
    );
  }
}

function varianceOf(values: Float32Array): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
}

function shareOn(logOdds: Float32Array): number {
  return logOdds.reduce((count, o) => count + Number(o > 0), 0) / logOdds.length;
}
