/**
 * Does a ticket train faster because it is sparse? Steps of the quick setting, masked in place against the same ticket
 * without its dead neurons, and the dense network; in turns on one thread, so that noise falls on all alike. Prints the
 * medians and writes docs/results/tickets-speed.json.
 *
 * usage: tickets.js <folder of an experiment made by filigree tickets --quick> [rounds, default 40]
 */
import { writeResults } from "../protocols/support/results.ts";
import { rebatch } from "../src/engine/replay.ts";
import { createOptimizer } from "../src/nn/optimizers.ts";
import { createTrainingStep } from "../src/nn/training-step.ts";
import { median } from "../src/runs/latency.ts";
import { readMoments } from "../src/runs/tickets/experiment-directory.node.ts";
import { exactCrossEntropy } from "../src/sparsity/tickets/exact-cross-entropy.ts";
import { holdMasks } from "../src/sparsity/tickets/hold-masks.ts";
import { type Masks, magnitudeMasks } from "../src/sparsity/tickets/masks.ts";
import { buildModel, QUICK } from "../src/sparsity/tickets/settings.ts";
import { smallerTicket } from "../src/sparsity/tickets/smaller-ticket.ts";
import { createTask, splitTask, taskFeeds } from "../src/sparsity/tickets/tasks.ts";

const directory = process.argv[2];
const rounds = Number(process.argv[3] ?? 40);
const STEPS = 50;
const ADAMW = { kind: "adamw", betas: [0.9, 0.98] } as const;
const seed = 0;
const task = createTask("modadd", QUICK.p);
const split = splitTask(task, QUICK.fraction, seed);
const trained = (await readMoments(directory, seed)).get("ticket")!;

async function contender(name: string, source: ReturnType<typeof buildModel>, masks?: Masks) {
  const model = rebatch(source, split.train.length);
  const feeds = taskFeeds(task, split.train, model);
  const step = await createTrainingStep(model, exactCrossEntropy(), { threads: 1 });
  const target = { ...step, weightDecay: () => QUICK.weightDecay };
  const own = () => createOptimizer(ADAMW, target);
  const sparsifier = masks && holdMasks(masks);
  const optimizer = sparsifier?.createOptimizer?.(target, own, ADAMW) ?? own();
  const moment = { ...step, optimizer, learningRate: QUICK.learningRate, epoch: 0, epochs: 1, step: 0 };
  const parameters = step.parameters.values.length;
  const times: number[] = [];
  return {
    name,
    parameters,
    times,
    measure: async () => {
      const start = process.cpuUsage();
      for (let i = 0; i < STEPS; i++) {
        await step.run(feeds);
        sparsifier?.beforeStep?.(moment, async () => {});
        optimizer.step(QUICK.learningRate);
      }
      const { user, system } = process.cpuUsage(start);
      times.push((user + system) / 1000 / STEPS);
    },
  };
}

const contenders = [await contender("dense", buildModel(QUICK, seed))];
for (const ratio of [0.6, 0.8]) {
  const masks = magnitudeMasks(trained, ratio);
  const small = smallerTicket(buildModel(QUICK, seed), masks);
  contenders.push(await contender(`masked at ${ratio}`, buildModel(QUICK, seed), masks));
  contenders.push(await contender(`smaller at ${ratio}`, small.model, small.masks));
}
for (let round = 0; round < rounds; round++) for (const c of contenders) await c.measure();
const processorMsPerStep = Object.fromEntries(contenders.map((c) => [c.name, median(c.times.slice(2))]));
const timesFaster = Object.fromEntries(
  [0.6, 0.8].map((ratio) => {
    const of = (kind: string) => contenders.find((c) => c.name === `${kind} at ${ratio}`)!.times;
    return [
      ratio,
      median(
        of("masked")
          .slice(2)
          .map((t, i) => t / of("smaller").slice(2)[i]),
      ),
    ];
  }),
);
const parameters = Object.fromEntries(contenders.map((c) => [c.name, c.parameters]));
console.log(processorMsPerStep, timesFaster, parameters);
await writeResults("tickets-speed", "npm run bench -- tickets runs/protocols/tickets-quick", {
  processorMsPerStep,
  timesFaster,
  parameters,
});
