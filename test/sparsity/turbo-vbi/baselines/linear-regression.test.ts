import { describe, expect, test } from "vitest";
import type { Graph } from "../../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../../src/engine/graph.ts";
import { tensor } from "../../../../src/engine/tensor.ts";
import { layers } from "../../../../src/nn/layers.ts";
import { regression, regressionSource } from "../../../../src/nn/regression.ts";
import type { TrainingSnapshot, TrainOptions } from "../../../../src/nn/trainer.ts";
import { train } from "../../../../src/nn/trainer.ts";
import { createBcGnj } from "../../../../src/sparsity/turbo-vbi/baselines/bc-gnj.ts";
import type { NoiseSelectionOptions } from "../../../../src/sparsity/turbo-vbi/baselines/noise-selection.ts";
import { createSparseVd } from "../../../../src/sparsity/turbo-vbi/baselines/sparse-vd.ts";
import { createVibNet } from "../../../../src/sparsity/turbo-vbi/baselines/vibnet.ts";

const SAMPLES = 512;

/** Weights in units of their likelihood's deviation, 1/√SAMPLES: how loudly the data speak for each. */
const SCORES = [30, 0.4, 10, 0.7, 4, 0.2, 3, 20, 0.6, -15, 0.1, -2];
const INPUTS = SCORES.length;

/** y = Σ w x. Inputs are Walsh functions, ±1 and orthogonal to each other, so that weights have nothing to do with each other. */
const problem = (() => {
  const inputs = Float32Array.from({ length: SAMPLES * INPUTS }, (_, i) => {
    let bits = Math.floor(i / INPUTS) & (1 + (i % INPUTS));
    let sign = 1;
    for (; bits > 0; bits &= bits - 1) sign = -sign;
    return sign;
  });
  const targets = Float32Array.from({ length: SAMPLES }, (_, row) =>
    SCORES.reduce((sum, z, i) => sum + (z / Math.sqrt(SAMPLES)) * inputs[row * INPUTS + i], 0),
  );
  return { inputs, targets };
})();
const samples = {
  inputs: tensor("float32", [SAMPLES, INPUTS], problem.inputs),
  targets: tensor("float32", [SAMPLES], problem.targets),
};

/** KL divergence from the log-uniform prior, Molchanov et al. 2017, eq. 14. */
const logUniform = (a: number) =>
  0.63576 * (1 - 1 / (1 + Math.exp(-1.8732 - 1.48695 * a))) + 0.5 * Math.log1p(Math.exp(-a));

/**
 * What each method minimises for one weight of score z, by hand: its mean w, ln α and ln s, where w and the deviation s are in
 * units of 1/√SAMPLES; and where weights start to go.
 */
const BY_HAND = {
  "sparse-vd": {
    cost: (z: number, w: number, a: number) => ((w - z) ** 2 + Math.exp(a) * w * w) / 2 + logUniform(a),
    threshold: 3,
  },
  vibnet: {
    cost: (z: number, w: number, a: number) =>
      ((w - z) ** 2 + Math.exp(a) * w * w) / 2 + 0.5 * Math.log1p(Math.exp(-a)),
    threshold: 0,
  },
  "bc-gnj": {
    cost: (z: number, w: number, a: number, s: number) =>
      ((w - z) ** 2 + Math.exp(a) * w * w + (1 + Math.exp(a)) * Math.exp(2 * s)) / 2 +
      logUniform(a) +
      0.5 * Math.log(w * w + Math.exp(2 * s)) -
      s,
    threshold: -3,
  },
};

/** Its minimum downhill from little noise. */
function byHand(method: keyof typeof METHODS, z: number) {
  const { cost } = BY_HAND[method];
  const at = [z, -6, -3];
  const value = () => cost(z, at[0], at[1], at[2]);
  for (let t = 0, steps = 4000; t < steps; t++)
    for (let i = 0; i < 3; i++) {
      const own = at[i];
      const [above, below] = [1e-5, -1e-5].map((h) => {
        at[i] = own + h;
        return value();
      });
      at[i] = own - 0.02 * (1 - t / steps) * Math.sign(above - below);
    }
  return { mean: at[0] / Math.sqrt(SAMPLES), logAlpha: at[1] };
}

const METHODS = { "sparse-vd": createSparseVd, "bc-gnj": createBcGnj, vibnet: createVibNet };

async function infer(
  method: keyof typeof METHODS,
  options: Partial<NoiseSelectionOptions> = {},
  training: Partial<TrainOptions> = {},
) {
  const model: Graph = createGraph("linear");
  const x = input(model, "input", [SAMPLES, INPUTS]);
  output(layers(model, 1).linear("out", x, 1, { bias: false }));
  const sparsifier = METHODS[method](model, { samples: SAMPLES, seed: 3, ...options });
  const order = Array.from({ length: SAMPLES }, (_, i) => i);
  const result = await train(
    model,
    regression(),
    regressionSource(model, samples, () => order),
    {
      epochs: 1200,
      optimizer: { kind: "adam" },
      learningRate: 0.03,
      schedule: { kind: "cosine", flat: 0.3, floor: 0.02 },
      threads: 1,
      sparsifier,
      ...training,
    },
  );
  const [posterior] = sparsifier.posteriors()!;
  const used = Array.from(posterior.logOdds, (o) => o > 0);
  const logAlphas = posterior.logOdds.map((o) => BY_HAND[method].threshold - o);
  return { ...result, posterior, used, logAlphas, commit: sparsifier.commit() };
}

describe.each(Object.keys(METHODS) as (keyof typeof METHODS)[])("%s", (method) => {
  const { threshold } = BY_HAND[method];
  const expected = SCORES.map((z) => byHand(method, z));
  const inUse = expected.map(({ logAlpha }) => logAlpha < threshold);

  test("keeps the weights that data speak for, and ends at the minimum that is found by hand", async () => {
    const { used, posterior, logAlphas } = await infer(method);
    expect(inUse.filter(Boolean).length).toBeGreaterThan(3);
    expect(inUse.filter((u) => !u).length).toBeGreaterThan(4);
    expect(used).toEqual(inUse);
    expected.forEach(({ mean, logAlpha }, i) => {
      if (!inUse[i]) return;
      // Sampled gradients at the last learning rate move both by a few per cent.
      expect(Math.abs(posterior.mean[i] - mean) * Math.sqrt(SAMPLES)).toBeLessThan(0.2);
      expect(Math.abs(logAlphas[i] - logAlpha)).toBeLessThan(0.25);
    });
  });

  test("control: without the penalty nothing goes", async () => {
    const { used } = await infer(method, { strength: 0 }, { epochs: 100 });
    expect(used).toEqual(SCORES.map(() => true));
  });

  test("what no training can make good is refused", async () => {
    const shape = { tiles: 1, rows: 1, columns: INPUTS };
    const other = [{ name: "out", parameter: "other", shape, transposed: false }];
    for (const [options, words] of [
      [{ samples: -1 }, "samples is -1"],
      [{ warmup: 0.5, select: 0.7 }, "more than all epochs"],
      [{ warmup: 0.9, select: 0.1 }, "leaves none of 2 epochs"],
      [{ layers: other }, 'in "other", the model no such parameter'],
    ] as const)
      await expect(infer(method, options, { epochs: 2 })).rejects.toThrow(words);
  });

  test("cuts once, keeps zeros zero, and resumes to the same bits", async () => {
    const phases = { warmup: 0.1, select: 0.6, annealEpochs: 2 };
    const short = { epochs: 40, learningRate: 0.1 };
    const whole = await infer(method, phases, short);
    expect(whole.commit).toBeDefined();
    const density = whole.history.map((h) => h.metrics["density/out"]);
    expect(density.slice(0, 5).map((d) => d === undefined)).toEqual([true, true, true, true, false]);
    expect(new Set(density.slice(27)).size).toBe(1);
    expect([...whole.posterior.mean].filter((w) => w !== 0).length / INPUTS).toBeCloseTo(density[39], 9);
    for (const stopAt of [11, 33]) {
      const control = new AbortController();
      let saved: TrainingSnapshot | undefined;
      await infer(method, phases, {
        ...short,
        signal: control.signal,
        onStep: ({ step }) => step === stopAt && control.abort(),
        save: async (snapshot) => {
          const { tensors, ...rest } = snapshot();
          saved = {
            tensors: Object.fromEntries(
              Object.entries(tensors).map(([n, t]) => [n, { ...t, data: t.data.slice() } as typeof t]),
            ),
            ...rest,
          };
        },
      });
      const resumed = await infer(method, phases, { ...short, resume: saved });
      expect(resumed.posterior).toEqual(whole.posterior);
      expect(resumed.commit).toEqual(whole.commit);
    }
  });
});
