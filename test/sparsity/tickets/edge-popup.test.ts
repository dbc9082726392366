import { expect, test } from "vitest";
import { createTrainingStep } from "../../../src/nn/training-step.ts";
import { createEdgePopup } from "../../../src/sparsity/tickets/edge-popup.ts";
import { exactCrossEntropy } from "../../../src/sparsity/tickets/exact-cross-entropy.ts";
import { weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { MLP_LAYERS } from "../../../src/sparsity/tickets/modular-mlp.ts";
import { exactly, masksFrom, ruled, tinyMlp, vectors, worst } from "./vectors.ts";

const { edgePopup } = vectors;

test("masks, loss, gradients of the scores and one step are those of the vectors", async () => {
  const { model, feeds } = tinyMlp();
  const initial = weightsOf(model);
  const scores = new Map(MLP_LAYERS.map((name, i) => [name, ruled(initial.get(name)!.length, 10 + i, 1)]));
  const sgd = { kind: "sgd" } as const;
  const popup = createEdgePopup({ keepRatio: edgePopup.keep, optimizer: sgd, scores });
  const step = await createTrainingStep(model, exactCrossEntropy(), { threads: 1 });
  const own = () => {
    throw new Error("the scores need an optimiser of their own");
  };
  const optimizer = popup.createOptimizer!(step, own, sgd);
  expect(popup.masks()).toEqual(masksFrom(edgePopup.masks));
  expect((await step.run(feeds)).loss).toBeCloseTo(edgePopup.loss, 6);
  optimizer.step(edgePopup.sgdLr);
  MLP_LAYERS.forEach((name, i) =>
    expect(worst(popup.scoreGradients().get(name)!, edgePopup.scoreGrads[i].flat())).toBeLessThan(2e-6),
  );
  expect(popup.masks()).toEqual(masksFrom(edgePopup.masksAfter));
  expect((await step.run(feeds)).loss).toBeCloseTo(edgePopup.lossAfterOneSgdStep, 6);
  // The weights themselves never learn: what lives is as it was.
  for (const [name, mask] of popup.masks())
    step.parameters.arrays[name].forEach((w, i) => expect(w).toBe(mask[i] ? initial.get(name)![i] : 0));
  await step.release();
});

test("the gradient of a |score| is the loss's slope along its weight's share, by finite differences", () => {
  const { model, feeds } = tinyMlp();
  const masks = masksFrom(edgePopup.masks);
  const weights = Object.fromEntries(MLP_LAYERS.map((n, i) => [n, ruled(masks.get(n)!.length, i)]));
  const loss = (layer: string, index: number, share: number) =>
    exactly(
      model,
      feeds,
      Object.fromEntries(
        MLP_LAYERS.map((n) => [
          n,
          weights[n].map((w, i) => w * (masks.get(n)![i] + (n === layer && i === index ? share : 0))),
        ]),
      ),
    ).loss;
  let compared = 0;
  MLP_LAYERS.forEach((name, l) => {
    weights[name].forEach((_, i) => {
      const h = 1e-5;
      const [below, here, above] = [-h, 0, h].map((share) => loss(name, i, share));
      // Tokens without a living weight sit on the ReLU's kink, where there is no slope to compare with.
      if (Math.abs(above - 2 * here + below) > 1e-3 * h) return;
      compared++;
      const sign = Math.sign(ruled(weights[name].length, 10 + l, 1)[i]);
      expect((sign * (above - below)) / (2 * h)).toBeCloseTo(edgePopup.scoreGrads[l].flat()[i], 8);
    });
  });
  expect(compared).toBeGreaterThan(50);
});
