import { describe, expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { layers as layersOf } from "../../../src/nn/layers.ts";
import { regression, regressionSource } from "../../../src/nn/regression.ts";
import type { TrainingSnapshot, TrainOptions } from "../../../src/nn/trainer.ts";
import { train } from "../../../src/nn/trainer.ts";
import { Problem } from "../../../src/problem.ts";
import { random } from "../../../src/random.ts";
import { findWeights } from "../../../src/sparsity/lines.ts";
import { fitLinear } from "../../../src/sparsity/turbo-vbi/linear.ts";
import { precisionPrior } from "../../../src/sparsity/turbo-vbi/precision-prior.ts";
import type { PriorSpec } from "../../../src/sparsity/turbo-vbi/priors/kinds.ts";
import { createPrior } from "../../../src/sparsity/turbo-vbi/priors/kinds.ts";
import type { TurboVbiLayer, TurboVbiOptions } from "../../../src/sparsity/turbo-vbi/turbo-vbi.ts";
import { createTurboVbi } from "../../../src/sparsity/turbo-vbi/turbo-vbi.ts";
import { largestDifference } from "./brute-force.ts";

const [SAMPLES, INPUTS, BATCH] = [600, 30, 60];

/** y = Σ w x + noise of variance 1, with weights 5 to 9 and 20 to 23 in use. */
const problem = (() => {
  const rng = random(11);
  const inputs = Float32Array.from({ length: SAMPLES * INPUTS }, () => rng.normal());
  const truth = Array.from({ length: INPUTS }, (_, i) =>
    (i >= 5 && i < 10) || (i >= 20 && i < 24) ? 0.5 + rng.uniform() : 0,
  );
  const targets = Float32Array.from({ length: SAMPLES }, (_, row) =>
    truth.reduce((sum, w, i) => sum + w * inputs[row * INPUTS + i], rng.normal()),
  );
  return { truth, inputs, targets };
})();
const samples = {
  inputs: tensor("float32", [SAMPLES, INPUTS], problem.inputs),
  targets: tensor("float32", [SAMPLES], problem.targets),
};

/** One linear layer, or one behind another where `hidden` is given. */
function network(hidden?: number): Graph {
  const graph = createGraph("linear");
  const { linear } = layersOf(graph, 1);
  let x = input(graph, "input", [BATCH, INPUTS]);
  if (hidden) x = linear("fc1", x, hidden);
  output(linear("out", x, 1, { bias: false }));
  return graph;
}

const chain: PriorSpec = { kind: "chain", lambda: 0.2, meanRun: 4 };
const precision = precisionPrior(0.5, 0.005);

async function infer(
  options: Partial<TurboVbiOptions> & { prior?: PriorSpec; hidden?: number },
  training: Partial<TrainOptions> = {},
) {
  const { prior = chain, hidden, ...rest } = options;
  const model = network(hidden);
  const sparsifier = createTurboVbi({
    layers: findWeights(model).map((layer) => ({ ...layer, prior, precision })),
    samples: SAMPLES,
    seed: 3,
    ...rest,
  });
  const rng = random(5);
  const orders = Array.from({ length: 60 }, () => rng.permutation(SAMPLES));
  const source = regressionSource(model, samples, (epoch) => orders[epoch]);
  const result = await train(model, regression(), source, {
    epochs: 60,
    optimizer: { kind: "adam" },
    learningRate: 0.02,
    schedule: { kind: "cosine", flat: 0.3, floor: 0.01 },
    threads: 1,
    sparsifier,
    ...training,
  });
  return { ...result, model, posteriors: sparsifier.posteriors()! };
}

describe("a linear model, where the exact weight step is known", () => {
  const exact = fitLinear(
    {
      inputs: Float64Array.from(problem.inputs),
      targets: Float64Array.from(problem.targets),
      noisePrecision: 1,
    },
    {
      prior: precision,
      support: createPrior(chain, { tiles: 1, rows: 1, columns: INPUTS }),
      initial: 0.2,
      outer: 20,
      inner: 5,
    },
  );

  /** The best deviation of a weight whose posterior ignores the others': one over the root of its own precision. */
  const deviations = exact.supports.precision.map((rho, i) => {
    let own = rho;
    for (let row = 0; row < SAMPLES; row++) own += problem.inputs[row * INPUTS + i] ** 2;
    return 1 / Math.sqrt(own);
  });
  const worstRatio = (sigma: Float32Array) =>
    Math.max(...sigma.map((s, i) => Math.abs(Math.log(s / deviations[i]))));

  test("training by batches ends at its posterior", async () => {
    const [found] = (await infer({})).posteriors;
    // Sampled gradients at the last learning rate move means by a fifth of a deviation, and deviations by some percent.
    expect(largestDifference(found.mean, exact.mean)).toBeLessThan(0.2 * deviations[5]);
    expect(worstRatio(found.sigma)).toBeLessThan(0.1);
    expect(largestDifference(found.logOdds, exact.supports.posterior)).toBeLessThan(0.3);
    expect(Array.from(found.logOdds, (o) => o > 0)).toEqual(problem.truth.map((w) => w !== 0));
  });

  test("control: with the wrong number of samples its deviations are others", async () => {
    const [found] = (await infer({ samples: SAMPLES / 4 })).posteriors;
    expect(worstRatio(found.sigma)).toBeGreaterThan(0.5);
  });
});

describe("in training", () => {
  const short = { epochs: 7 };

  test("one seed gives the same bits, another does not", async () => {
    const a = await infer({ hidden: 6 }, short);
    const b = await infer({ hidden: 6 }, short);
    const c = await infer({ hidden: 6, seed: 4 }, short);
    expect(b.posteriors).toEqual(a.posteriors);
    expect(largestDifference(c.posteriors[0].mean, a.posteriors[0].mean)).toBeGreaterThan(1e-5);
  });

  test("a run that was stopped in the middle goes on to the same bits", async () => {
    const options = { hidden: 6, warmup: 0.15, select: 0.6, roundEpochs: 2, learnPrior: true };
    const whole = await infer(options, short);
    for (const stopAt of [3, 37, 61]) {
      const control = new AbortController();
      let saved: TrainingSnapshot | undefined;
      const { finished } = await infer(options, {
        ...short,
        signal: control.signal,
        onStep: ({ step }) => step === stopAt && control.abort(),
        save: async (snapshot) => {
          saved = JSON.parse(JSON.stringify(snapshot()), (_, v) => v) as TrainingSnapshot;
          for (const [name, t] of Object.entries(snapshot().tensors))
            saved.tensors[name] = { ...t, data: t.data.slice() };
        },
      });
      expect(finished).toBe(false);
      const resumed = await infer(options, { ...short, resume: saved });
      expect(resumed.posteriors).toEqual(whole.posteriors);
      expect(resumed.model.parameters).toEqual(whole.model.parameters);
    }
  });

  test("a chain without coupling is independent bits, weight by weight", async () => {
    const lambda = 0.2;
    const iid = await infer({ hidden: 6, prior: { kind: "iid", lambda } }, short);
    const free = await infer(
      { hidden: 6, prior: { kind: "chain", lambda, meanRun: 1 / (1 - lambda) } },
      short,
    );
    const coupled = await infer({ hidden: 6 }, short);
    expect(free.posteriors).toEqual(iid.posteriors);
    expect(largestDifference(coupled.posteriors[0].logOdds, iid.posteriors[0].logOdds)).toBeGreaterThan(0.1);
  });

  test.each(["sgd", "adam"] as const)(
    "what is off at the end of selection is zero and stays so: %s",
    async (kind) => {
      const { model, posteriors } = await infer(
        { select: 0.5 },
        {
          epochs: 20,
          optimizer: kind === "sgd" ? { kind, momentum: 0.9 } : { kind },
          learningRate: kind === "sgd" ? 0.003 : 0.02,
        },
      );
      const { data } = model.parameters.get("out.weight")!;
      posteriors[0].logOdds.forEach((o, i) => expect(data[i] === 0).toBe(o <= 0));
      expect(data.some((w) => w === 0) && data.some((w) => w !== 0)).toBe(true);
    },
  );

  test("before selection the network trains as it would alone", async () => {
    const alone = network();
    const rng = random(5);
    const orders = Array.from({ length: 60 }, () => rng.permutation(SAMPLES));
    await train(
      alone,
      regression(),
      regressionSource(alone, samples, (epoch) => orders[epoch]),
      {
        epochs: 2,
        optimizer: { kind: "adam" },
        learningRate: 0.02,
        threads: 1,
      },
    );
    const { model } = await infer({ warmup: 1, select: 0 }, { epochs: 2, schedule: { kind: "constant" } });
    const [a, b] = [alone, model].map((m) => m.parameters.get("out.weight")!.data);
    expect(largestDifference(a, b)).toBeLessThan(1e-6);
  });

  test("as published, with the demo's precisions, the support does nothing: everything stays on", async () => {
    const published = {
      variant: "mean-field",
      constants: "complex",
      variance: "frozen",
      prior: { kind: "iid", lambda: 0.5 },
    } as const;
    const precision = { a: 1, b: 1, aBar: 1, bBar: 0.01 };
    const model = network();
    const layers = findWeights(model).map((layer) => ({ ...layer, prior: published.prior, precision }));
    const on = async (options: Partial<TurboVbiOptions>) => {
      const [{ logOdds }] = (await infer({ layers, ...options }, { epochs: 30 })).posteriors;
      return logOdds.filter((o) => o > 0).length;
    };
    expect(await on(published)).toBe(INPUTS);
    expect(await on({ variant: "structured" })).toBeLessThan(INPUTS / 2);
    // Evidence that is counted again in every round switches everything off in the end.
    expect(await on({ messages: "published", roundEpochs: 1 })).toBeLessThan(9);
  });

  test("a network without layers to compress is refused", () => {
    expect(() => createTurboVbi({ layers: [], samples: 1 })).toThrow("no layer to compress");
  });

  test.each<[Partial<TurboVbiOptions> & { prior?: PriorSpec }, string]>([
    [{ samples: -5 }, "turbo-vbi: samples is -5; give the number of samples in the training set"],
    [{ samples: undefined }, "samples is undefined"],
    [{ samples: Number.POSITIVE_INFINITY }, "samples is Infinity"],
    [{ warmup: -0.1 }, "warmup is -0.1; take a share"],
    [{ select: 1.5 }, "select is 1.5; take a share"],
    [{ warmup: 0.8, select: 0.8 }, "a warmup of 0.8 and a select of 0.8 are more than all epochs"],
    [
      { prior: { kind: "markov", lambda: 0.5 } as unknown as PriorSpec },
      'no prior of kind "markov"; take iid',
    ],
    [{ layers: findWeights(network()) as unknown as TurboVbiLayer[] }, 'no prior of kind "undefined"'],
    [{ warmup: 0.8, select: 0.2 }, "a warmup of 0.8 leaves none of 2 epochs to select weights in"],
    [{ warmup: 1 }, "a warmup of 1 leaves none of 2 epochs"],
  ])("%j is refused", async (options, words) => {
    await expect(infer(options, { epochs: 2 })).rejects.toThrow(words);
    await expect(infer(options, { epochs: 2 })).rejects.toThrow(Problem);
  });

  test("layers that were found on another model are refused", async () => {
    const layers = findWeights(network(12)).map((layer) => ({ ...layer, prior: chain }));
    const found = infer({ layers, hidden: 24 }, { epochs: 1 });
    await expect(found).rejects.toThrow(
      /"fc1" has 360 weights in "fc1.weight", the model one of shape \[24,30\]/,
    );
    await expect(infer({ layers }, { epochs: 1 })).rejects.toThrow(
      /in "fc1.weight", the model no such parameter/,
    );
  });
});
