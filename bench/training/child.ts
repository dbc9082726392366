import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { classification } from "../../src/nn/classification.ts";
import { createOptimizer } from "../../src/nn/optimizers.ts";
import { createTrainingStep } from "../../src/nn/training-step.ts";
import { CASES } from "./cases.ts";

/** What a peer answers when it is told to take some steps. */
export interface Answer {
  /** Milliseconds of each step, optimiser included. */
  times: number[];
  losses: number[];
  /** Largest resident memory so far, MiB. */
  peakMemory: number;
}

/** Trains one case in this process: reads numbers of steps from standard input, answers each with a line of JSON. */
export async function serve(name: string, threads: number): Promise<void> {
  const { model, feeds, optimizer: spec, learningRate, weightDecay } = CASES[name]();
  const step = await createTrainingStep(model, classification(), { threads });
  const optimizer = createOptimizer(spec, { ...step, weightDecay: () => weightDecay });
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const answer: Answer = { times: [], losses: [], peakMemory: 0 };
    for (let i = 0; i < Number(line); i++) {
      const start = performance.now();
      const { loss } = await step.run(feeds);
      optimizer.step(learningRate);
      answer.times.push(performance.now() - start);
      answer.losses.push(loss);
    }
    answer.peakMemory = peakMemory();
    console.log(JSON.stringify(answer));
  }
  await step.release();
}

function peakMemory(): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}
