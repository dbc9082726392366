/**
 * What modules A and B of Turbo-VBI cost: nanoseconds of processor time a weight, from 10⁴ to 10⁷ weights, and their share
 * of an epoch of LeNet-300-100 and LeNet-5 on MNIST, and a step with noise beside one without. Prints JSON and writes docs/results/turbo-cost.json.
 *
 * usage: turbo.js [largest number of weights, default 10000000] [repetitions, default 7]
 */
import { writeResults } from "../protocols/support/results.ts";
import { replay } from "../src/engine/replay.ts";
import { tensor } from "../src/engine/tensor.ts";
import { classification } from "../src/nn/classification.ts";
import { MODELS } from "../src/nn/models/index.ts";
import { createOptimizer } from "../src/nn/optimizers.ts";
import { createTrainingStep } from "../src/nn/training-step.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { findWeights } from "../src/sparsity/lines.ts";
import { createModuleA } from "../src/sparsity/turbo-vbi/module-a.ts";
import { precisionPrior } from "../src/sparsity/turbo-vbi/precision-prior.ts";
import type { PriorSpec } from "../src/sparsity/turbo-vbi/priors/kinds.ts";
import { createPrior } from "../src/sparsity/turbo-vbi/priors/kinds.ts";
import { sendMessages } from "../src/sparsity/turbo-vbi/priors/prior.ts";
import { createSupports } from "../src/sparsity/turbo-vbi/supports.ts";
import { createTurboVbi } from "../src/sparsity/turbo-vbi/turbo-vbi.ts";

const largest = Number(process.argv[2] ?? 1e7);
const repetitions = Number(process.argv[3] ?? 7);
const COLUMNS = 500;
/** Weights in one timing, so that small layers are not lost in the clock's grain. */
const AT_ONCE = 1e6;

const chain = { lambda: 0.05, meanRun: 3.5 };
const PRIORS: Record<string, PriorSpec> = {
  iid: { kind: "iid", lambda: 0.05 },
  chain: { kind: "chain", ...chain },
  gate: { kind: "gate", gate: 0.1, ...chain },
  ising: { kind: "ising", density: 0.1, down: 0.3, along: 0.3 },
};

/** Processor time: on a busy machine it says more than the clock. */
function seconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

async function secondsLater(work: () => Promise<void>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** Nanoseconds a weight of each module. */
function measure(weights: number, prior: string) {
  const shape = { tiles: 1, rows: weights / COLUMNS, columns: COLUMNS };
  const support = createPrior(PRIORS[prior], shape);
  const moduleA = createModuleA({ prior: precisionPrior(0.01) });
  const supports = createSupports(weights, -3);
  const rng = random(weights);
  for (let i = 0; i < weights; i++) supports.secondMoments[i] = 0.02 * rng.uniform() ** 4;
  const often = Math.max(1, Math.ceil(AT_ONCE / weights));
  const times: Record<"a" | "b", number[]> = { a: [], b: [] };
  for (let round = -2; round < repetitions; round++)
    for (const [name, work] of [
      ["a", () => moduleA(supports)],
      ["b", () => sendMessages(support, supports)],
    ] as const) {
      const time = seconds(() => {
        for (let i = 0; i < often; i++) work();
      });
      if (round >= 0) times[name].push((time / often / weights) * 1e9);
    }
  const [a, b] = [median(times.a), median(times.b)].map((t) => Number(t.toFixed(1)));
  return { prior, weights, moduleA: a, moduleB: b };
}

/** Share of an epoch on MNIST: modules A, B and A again, after all its steps. */
async function shareOfEpoch(network: string, batch: number) {
  const model = MODELS[network]({ inputShape: [1, 28, 28], classes: 10, seed: 1, batch });
  const layers = findWeights(model).map((layer) => ({ ...layer, prior: PRIORS.chain }));
  const samples = 60_000;
  const sparsifier = createTurboVbi({ layers, samples, roundEpochs: 1 });
  const step = await createTrainingStep(model, classification(), { threads: 1, sparsifier });
  const target = { parameters: step.parameters, gradients: step.gradients };
  const adam = { kind: "adam" } as const;
  const optimizer = sparsifier.createOptimizer!(target, () => createOptimizer(adam, target), adam);
  const moment = { ...target, optimizer, learningRate: 1e-3, epoch: 0, epochs: 2, step: 0 };
  const rng = random(3);
  const feeds = {
    [model.inputs[0]]: tensor(
      "float32",
      [batch, 1, 28, 28],
      Float32Array.from({ length: batch * 784 }, () => rng.uniform()),
    ),
    labels: tensor(
      "int32",
      [batch],
      Int32Array.from({ length: batch }, () => rng.integer(10)),
    ),
  };
  await sparsifier.beforeEpoch!(moment, async () => {});
  const plainModel = replay(model, { tensor: (_, t) => ({ ...t, data: t.data.slice() as Float32Array }) });
  const plain = await createTrainingStep(plainModel, classification(), { threads: 1 });
  const plainOptimizer = createOptimizer({ kind: "adam" }, plain);
  const steps: number[] = [];
  const plainSteps: number[] = [];
  for (let i = -2; i < 8; i++) {
    const sampled = await secondsLater(async () => {
      await step.run({ ...feeds, ...sparsifier.feeds!({ ...moment, step: i }) });
      optimizer.step(1e-3);
    });
    const alone = await secondsLater(async () => {
      await plain.run(feeds);
      plainOptimizer.step(1e-3);
    });
    if (i < 0) continue;
    steps.push(sampled);
    plainSteps.push(alone);
  }
  const modules: number[] = [];
  for (let i = 0; i < repetitions; i++)
    modules.push(seconds(() => void sparsifier.atBoundary!(moment, async () => ({}))));
  await step.release();
  await plain.release();
  const epoch = median(steps) * Math.floor(samples / batch);
  return {
    network,
    batch,
    secondsOfSteps: Number(epoch.toFixed(2)),
    secondsOfModules: Number(median(modules).toFixed(4)),
    stepOverPlain: Number(median(steps.map((t, i) => t / plainSteps[i])).toFixed(2)),
    share: Number((median(modules) / epoch).toPrecision(2)),
  };
}

const epochs = [await shareOfEpoch("lenet-300-100", 256), await shareOfEpoch("lenet", 128)];
console.log(JSON.stringify({ epochs }, null, 1));
const rows = [];
for (const prior of Object.keys(PRIORS))
  for (let weights = 10_000; weights <= largest; weights *= 10) {
    const row = measure(weights, prior);
    console.log(JSON.stringify(row));
    rows.push(row);
  }
await writeResults("turbo-cost", ["npm run bench -- turbo", ...process.argv.slice(2)].join(" "), {
  rows,
  epochs,
});
