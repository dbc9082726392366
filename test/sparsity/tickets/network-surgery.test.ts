import { expect, test } from "vitest";
import { createOptimizer } from "../../../src/nn/optimizers.ts";
import type { TrainingSnapshot, TrainOptions } from "../../../src/nn/trainer.ts";
import { train } from "../../../src/nn/trainer.ts";
import { createTrainingStep } from "../../../src/nn/training-step.ts";
import { exactCrossEntropy } from "../../../src/sparsity/tickets/exact-cross-entropy.ts";
import { weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { createNetworkSurgery } from "../../../src/sparsity/tickets/network-surgery.ts";
import { expectProblem } from "../../data/support.ts";
import { tinyMlp } from "./vectors.ts";

test("weights train whether they live or not, by the slope where the network is, and come back", async () => {
  const { model, feeds } = tinyMlp();
  const names = [...model.parameters].filter(([, t]) => t.shape.length > 1).map(([name]) => name);
  const own = weightsOf(model);
  const [keep, until, rate] = [0.4, 30, 0.6];
  const surgery = createNetworkSurgery({ keep, until });
  const step = await createTrainingStep(model, exactCrossEntropy(), { threads: 1 });
  const sgd = { kind: "sgd" } as const;
  const optimizer = surgery.createOptimizer!(step, () => createOptimizer(sgd, step), sgd);
  const alive = new Map(names.map((name) => [name, own.get(name)!.map(() => 1)]));
  const choose = () => {
    const sizes = names.flatMap((name) => [...own.get(name)!].map(Math.abs)).sort((a, b) => a - b);
    const limit = sizes[Math.floor((1 - keep) * sizes.length)];
    for (const name of names)
      own.get(name)!.forEach((w, i) => {
        if (Math.abs(w) < 0.9 * limit) alive.get(name)![i] = 0;
        if (Math.abs(w) >= 1.1 * limit) alive.get(name)![i] = 1;
      });
  };
  const inUse = (name: string) => own.get(name)!.map((w, i) => (alive.get(name)?.[i] === 0 ? 0 : w));
  let back = 0;
  choose();
  for (let t = 0; t < until - 1; t++) {
    for (const name of own.keys()) expect(step.parameters.arrays[name]).toEqual(inUse(name));
    await step.run(feeds);
    for (const [name, w] of own) {
      const slope = step.gradients.arrays[name];
      w.forEach((v, i) => {
        // In float32, as the optimiser does.
        w[i] = v - Math.fround(Math.fround(rate) * slope[i]);
      });
    }
    optimizer.step(rate);
    const before = [...alive].map(([name, mask]) => [name, mask.slice()] as const);
    choose();
    for (const [name, mask] of before) mask.forEach((m, i) => (back += Number(m < alive.get(name)![i])));
  }
  expect(back).toBeGreaterThan(5);
  optimizer.step(rate);
  const settled = surgery.masks();
  const all = names.reduce((n, name) => n + own.get(name)!.length, 0);
  expect([...settled.values()].reduce((n, m) => n + m.reduce((a, b) => a + b, 0), 0)).toBe(
    all - Math.floor((1 - keep) * all),
  );
  for (let t = 0; t < 5; t++) optimizer.step(rate);
  expect(surgery.masks()).toEqual(settled);
  await step.release();
});

async function trained(epochs: number, options: Partial<TrainOptions> = {}) {
  const { model, feeds } = tinyMlp();
  const source = {
    stepsPerEpoch: 2,
    *feeds(_: number, done: number) {
      for (let i = done; i < 2; i++) yield feeds;
    },
  };
  await train(model, exactCrossEntropy(), source, {
    epochs,
    optimizer: { kind: "adam" },
    learningRate: 0.05,
    threads: 1,
    sparsifier: createNetworkSurgery({ keep: 0.3, until: 10 }),
    ...options,
  });
  return weightsOf(model);
}

test("a run that was saved goes on with the weights that do not live", async () => {
  let saved: TrainingSnapshot | undefined;
  await trained(3, {
    save: async (snapshot) => {
      const { tensors, ...rest } = snapshot();
      const copy = Object.entries(tensors).map(([n, t]) => [n, { ...t, data: t.data.slice() }]);
      saved = { ...JSON.parse(JSON.stringify(rest)), tensors: Object.fromEntries(copy) };
    },
  });
  expect(await trained(8, { resume: saved })).toEqual(await trained(8));
});

test("a share that is none is refused", () => {
  for (const keep of [0, 1.5, Number.NaN])
    expectProblem(
      () => createNetworkSurgery({ keep, until: 10 }),
      /^keep is .*; take a share above 0 and at most 1$/,
    );
});
