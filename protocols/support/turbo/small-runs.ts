import type { Dataset } from "../../../src/data/dataset.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { foldConstants } from "../../../src/sparsity/fold-constants.ts";
import type { WeightLayout } from "../../../src/sparsity/lines.ts";
import { findWeights } from "../../../src/sparsity/lines.ts";
import type { PatternStatistics } from "../../../src/sparsity/runs.ts";
import { patternStatistics } from "../../../src/sparsity/runs.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import { holdMasks } from "../../../src/sparsity/tickets/hold-masks.ts";
import type { Masks } from "../../../src/sparsity/tickets/masks.ts";
import { magnitudeMasks, randomMasks, weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { likeliestWeights, likelyWeights } from "../../../src/sparsity/turbo-vbi/choose.ts";
import type { Posterior } from "../../../src/sparsity/turbo-vbi/posterior.ts";
import { precisionPrior } from "../../../src/sparsity/turbo-vbi/precision-prior.ts";
import type { PriorSpec } from "../../../src/sparsity/turbo-vbi/priors/kinds.ts";
import { createTurboVbi } from "../../../src/sparsity/turbo-vbi/turbo-vbi.ts";
import { accuracyOf, glorotMlp, smallMnist, trainAdam } from "./mnist-small.ts";

/** Weights that every method keeps of the three layers: 6, 25 and 80 %. */
export const COUNTS = [753, 512, 256] as const;

export interface SmallJob {
  seed: number;
  method: string;
  /** Absent: masks of the dense network, `random` or `magnitude`. */
  prior?: PriorSpec;
  /** Slab variance of every layer. Default .02. */
  variance?: number;
  permuted?: boolean;
  /** Keep what is likelier in use than not, instead of `COUNTS`. */
  own?: boolean;
  /** Epochs with the zeros held. */
  tune: number;
}

export interface SmallResult {
  accuracy: { dense: number; pruned: number; tuned: number };
  layers: PatternStatistics[];
  /** Neurons of the hidden layers after those without influence were removed. */
  neurons: number[];
  /** Posterior means and log-odds, to compare methods weight by weight. */
  posteriors: Pick<Posterior, "mean" | "logOdds">[];
}

/** turbovbi.md P2 and P3: 196-64-32-10 on small MNIST, dense for 20 epochs, then posteriors, then what is left alone. */
export async function runSmall(job: SmallJob): Promise<SmallResult> {
  const { seed, method, prior, tune, own = false } = job;
  const data = await smallMnist(seed, job);
  const model = glorotMlp(data, [64, 32], 64, seed);
  await trainAdam(model, data, { seed, epochs: 20, learningRate: 1e-3 });
  const dense = await accuracyOf(model, data);
  const weights = findWeights(model);
  const posteriors = prior ? await inferSmall(model, data, weights, prior, job) : [];
  const masks: Masks = prior
    ? new Map(
        posteriors.map((p, i) => [p.parameter, own ? likelyWeights(p) : likeliestWeights(p, COUNTS[i])]),
      )
    : denseMasks(model, weights, method, seed);
  for (const [name, mask] of masks) {
    const { data: values } = model.parameters.get(name)!;
    mask.forEach((alive, i) => {
      if (!alive) values[i] = 0;
    });
  }
  const pruned = await accuracyOf(model, data);
  await trainAdam(model, data, {
    seed: seed + 2000,
    epochs: tune,
    learningRate: 1e-3,
    sparsifier: holdMasks(masks),
  });
  const small = shrinkZeros(foldConstants(model).graph).graph;
  return {
    accuracy: { dense, pruned, tuned: await accuracyOf(model, data) },
    layers: weights.map(({ parameter, shape: { tiles, rows, columns } }) =>
      patternStatistics({ lines: tiles * rows, columns, mask: masks.get(parameter)! }),
    ),
    neurons: weights.slice(0, -1).map(({ parameter }) => small.parameters.get(parameter)!.shape[0]),
    posteriors: posteriors.map(({ mean, logOdds }) => ({ mean, logOdds })),
  };
}

async function inferSmall(
  model: Graph,
  data: Dataset,
  weights: readonly WeightLayout[],
  prior: PriorSpec,
  { seed, variance = 0.02 }: SmallJob,
): Promise<Posterior[]> {
  const sparsifier = createTurboVbi({
    layers: weights.map((layer) => ({ ...layer, prior, precision: precisionPrior(variance) })),
    samples: data.train.labels.length,
    seed,
  });
  await trainAdam(model, data, { seed: seed + 1000, epochs: 24, learningRate: 2e-3, sparsifier });
  return sparsifier.posteriors()!.map((p) => ({ ...p, mean: p.mean.slice(), logOdds: p.logOdds.slice() }));
}

/** Masks with `COUNTS` weights that need no posteriors. */
function denseMasks(model: Graph, weights: readonly WeightLayout[], method: string, seed: number): Masks {
  const all = weightsOf(model);
  return new Map(
    weights.flatMap(({ parameter }, i) => {
      const layer = new Map([[parameter, all.get(parameter)!]]);
      // Half a weight more goes, so that rounding leaves the count exact.
      const ratio = (layer.get(parameter)!.length - COUNTS[i] + 0.5) / layer.get(parameter)!.length;
      return [...(method === "random" ? randomMasks(layer, ratio, seed) : magnitudeMasks(layer, ratio))];
    }),
  );
}
