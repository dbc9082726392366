import { describe, expect, test } from "vitest";
import { tensor, zeros } from "../../../src/engine/tensor.ts";
import { mlp } from "../../../src/nn/models/mlp.ts";
import type { Sparsifier } from "../../../src/nn/sparsifier.ts";
import type { TrainingSnapshot, TrainOptions } from "../../../src/nn/trainer.ts";
import { train } from "../../../src/nn/trainer.ts";
import { createEdgePopup } from "../../../src/sparsity/tickets/edge-popup.ts";
import { exactCrossEntropy } from "../../../src/sparsity/tickets/exact-cross-entropy.ts";
import { holdMasks } from "../../../src/sparsity/tickets/hold-masks.ts";
import type { Masks, Weights } from "../../../src/sparsity/tickets/masks.ts";
import {
  density,
  keepLargest,
  loadWeights,
  magnitudeMasks,
  mapValues,
  maskWeights,
  randomMasks,
  weightsOf,
} from "../../../src/sparsity/tickets/masks.ts";
import { pruneWhileTraining } from "../../../src/sparsity/tickets/prune-while-training.ts";
import { iterativePruning } from "../../../src/sparsity/tickets/rewind.ts";
import { snipScores } from "../../../src/sparsity/tickets/saliency.ts";
import { tinyMlp } from "./vectors.ts";

const initial = weightsOf(tinyMlp().model);
const half = (weights: Weights) => magnitudeMasks(weights, 0.5);
const ADAMW: Partial<TrainOptions> = { optimizer: { kind: "adamw", betas: [0.9, 0.98] }, weightDecay: 1 };
const SGD: Partial<TrainOptions> = { optimizer: { kind: "sgd" }, weightDecay: 0.1 };

/** Steps of full-batch training from some weights, two in an epoch; gives back what the weights became. */
async function trained(
  from: Weights,
  steps: number,
  sparsifier: Sparsifier | undefined,
  options: Partial<TrainOptions> = ADAMW,
): Promise<Weights> {
  const { model, feeds } = tinyMlp();
  loadWeights(model, from);
  const source = {
    stepsPerEpoch: 2,
    *feeds(_: number, done: number) {
      for (let i = done; i < 2; i++) yield feeds;
    },
  };
  await train(model, exactCrossEntropy(), source, {
    optimizer: { kind: "adamw" },
    epochs: steps / 2,
    learningRate: 0.01,
    threads: 1,
    sparsifier,
    ...options,
  });
  return weightsOf(model);
}

test("at initialisation it is a mask that is held", async () => {
  const held = await trained(initial, 8, holdMasks(half(initial)));
  expect(await trained(initial, 8, pruneWhileTraining([{ after: 0, masks: half }]))).toEqual(held);
  expect(await trained(initial, 8, pruneWhileTraining([{ after: 1, masks: half }]))).not.toEqual(held);
});

test("in the middle: dense steps, then steps under the mask of the weights as they were then", async () => {
  const dense = await trained(initial, 4, undefined, SGD);
  const masked = await trained(maskWeights(dense, half(dense)), 6, holdMasks(half(dense)), SGD);
  expect(await trained(initial, 10, pruneWhileTraining([{ after: 4, masks: half }]), SGD)).toEqual(masked);
});

test("momentum does not move what is gone; a mask that is laid on the weights alone is overrun by it", async () => {
  const pruner = pruneWhileTraining([{ after: 5, masks: half }]);
  const weights = await trained(initial, 10, pruner);
  const alive = (found: Weights) =>
    [...pruner.masks()!].flatMap(([name, mask]) => [...found.get(name)!].filter((w, i) => !mask[i] && w));
  expect(alive(weights)).toEqual([]);
  const laidOn: Sparsifier = {
    name: "planted",
    afterStep: ({ parameters, step }) => {
      for (const [name, mask] of pruner.masks()!)
        if (step === 4) mask.forEach((m, i) => (parameters.arrays[name][i] *= m));
    },
  };
  expect(alive(await trained(initial, 10, laidOn)).length).toBeGreaterThan(5);
});

describe("rewinding", () => {
  test("is training the ticket from where it goes back to, the optimiser's memory included", async () => {
    const early = await trained(initial, 2, undefined);
    const dense = await trained(initial, 6, undefined);
    const ticket = await trained(maskWeights(early, half(dense)), 8, holdMasks(half(dense)));
    const pruner = pruneWhileTraining([{ after: 6, masks: half, rewindTo: early }]);
    expect(await trained(initial, 14, pruner)).toEqual(ticket);
  });

  test("again and again is iterative magnitude pruning", async () => {
    const ratio = 0.8;
    const rounds = 3;
    const imp = await iterativePruning(initial, {
      ratio,
      rounds,
      train: (alive) => trained(maskWeights(initial, alive), 6, holdMasks(alive)),
    });
    const pruner = pruneWhileTraining(
      [1, 2, 3].map((round) => ({
        after: 6 * round,
        masks: (weights) => magnitudeMasks(weights, 1 - (1 - ratio) ** (round / rounds)),
        rewindTo: initial,
      })),
    );
    const whole = await trained(initial, 24, pruner);
    expect(pruner.masks()).toEqual(imp);
    expect(whole).toEqual(await trained(maskWeights(initial, imp), 6, holdMasks(imp)));
  });
});

test("by any rule: SNIP of the weights of that moment, then others by lot, and nothing comes back", async () => {
  const { model, feeds } = tinyMlp();
  let between = 0;
  const pruner = pruneWhileTraining([
    { after: 5, masks: (weights) => randomMasks(weights, 0.3, 1) },
    {
      after: 3,
      masks: async (weights) => {
        loadWeights(model, weights);
        const masks = keepLargest(await snipScores(model, feeds), 0.4);
        between = density(masks).total;
        return masks;
      },
    },
  ]);
  const weights = await trained(initial, 8, pruner);
  const all = [...initial.values()].reduce((sum, w) => sum + w.length, 0);
  expect(between).toBe((all - Math.floor(0.4 * all)) / all);
  expect(density(pruner.masks()!).total).toBeLessThan(between);
  const nonZero = mapValues(weights, (w) => Uint8Array.from(w, (v) => Number(v !== 0)));
  expect(nonZero).toEqual(pruner.masks());
});

describe("what belongs to another model stops training before a step", () => {
  const short: Masks = new Map([["embed", new Uint8Array(3)]]);
  const foreign: Masks = new Map([["fc1.weight", new Uint8Array(3)]]);
  const asWeights = (masks: Masks) => mapValues(masks, (mask) => Float32Array.from(mask));
  test.each<[string, (masks: Masks) => Sparsifier]>([
    ["masks that are held", holdMasks],
    ["masks that a rule gives", (masks) => pruneWhileTraining([{ after: 0, masks: () => masks }])],
    [
      "weights to rewind to",
      (masks) => pruneWhileTraining([{ after: 0, masks: half, rewindTo: asWeights(masks) }]),
    ],
    ["scores of edge-popup", (masks) => createEdgePopup({ scores: asWeights(masks) })],
  ])("%s", async (_, sparsifier) => {
    await expect(trained(initial, 2, sparsifier(short))).rejects.toThrow(
      /"embed" has shape \[4,5\] in the m/,
    );
    await expect(trained(initial, 2, sparsifier(foreign))).rejects.toThrow(/"fc1.weight" is not in the m/);
  });
});

test("a rule sees matrices and kernels, and besides all that there is; edge-popup leaves biases alone", async () => {
  const model = mlp({ inputShape: [3], classes: 2, hidden: [4], batch: 2, seed: 0 });
  const biases = () => ["fc1.bias", "fc2.bias"].map((name) => [...model.parameters.get(name)!.data]);
  const before = biases();
  const samples = { input: zeros([2, 3]), labels: tensor("int32", [2], [0, 1]) };
  const source = { stepsPerEpoch: 1, feeds: () => [samples] };
  const seen: string[][] = [];
  const rule = pruneWhileTraining([
    {
      after: 0,
      masks: (weights, all) => {
        seen.push([...weights.keys()], [...all.keys()]);
        return magnitudeMasks(weights, 1);
      },
    },
  ]);
  const popup = createEdgePopup();
  const options: TrainOptions = { epochs: 1, optimizer: { kind: "sgd" }, learningRate: 0.1, threads: 1 };
  await train(model, exactCrossEntropy(), source, { ...options, sparsifier: popup });
  expect(biases()).toEqual(before);
  await train(model, exactCrossEntropy(), source, { ...options, sparsifier: rule });
  const matrices = ["fc1.weight", "fc2.weight"];
  expect(seen).toEqual([matrices, ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]]);
  expect([...popup.masks().keys()]).toEqual(matrices);
});

test("a run that was saved goes on with its mask", async () => {
  const prunings = [
    { after: 3, masks: half },
    { after: 8, masks: (weights: Weights) => magnitudeMasks(weights, 0.7) },
  ];
  const whole = await trained(initial, 12, pruneWhileTraining(prunings));
  let saved: TrainingSnapshot | undefined;
  await trained(initial, 6, pruneWhileTraining(prunings), {
    ...ADAMW,
    save: async (snapshot) => {
      const { tensors, ...rest } = snapshot();
      const copy = Object.entries(tensors).map(([n, t]) => [n, { ...t, data: t.data.slice() }]);
      saved = { ...JSON.parse(JSON.stringify(rest)), tensors: Object.fromEntries(copy) };
    },
  });
  const rest = await trained(initial, 12, pruneWhileTraining(prunings), { ...ADAMW, resume: saved });
  expect(rest).toEqual(whole);
});
