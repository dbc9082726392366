/**
 * What a step of OPT-125M's layout takes: peak memory of the process, bytes of gradients and of what the optimiser
 * remembers (from the arrays that exist), seconds of the clock and of the processor. Full rank, SST, LoRA, DoRA, ReLoRA*
 * and GaLore with Adam, each in a process of its own. Writes docs/results/spectral-memory.json.
 *
 * usage: spectral-memory.js [size, default opt-125m] [--rank 64] [--context 128] [--batch 1] [--steps 3] [--blocks n]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { finishJob, ownJob, runJobs } from "../protocols/support/jobs.ts";
import { ROOT, writeResults } from "../protocols/support/results.ts";
import { input } from "../src/engine/graph.ts";
import { crossEntropy } from "../src/engine/operators/index.ts";
import { zeros } from "../src/engine/tensor.ts";
import { DECODER_SIZES, decoder } from "../src/nn/models/decoder.ts";
import { train } from "../src/nn/trainer.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import type { Footprint } from "../src/sparsity/spectral/footprint.ts";
import type { RankMethod } from "../src/sparsity/spectral/rank-methods.ts";
import { createRankMethod } from "../src/sparsity/spectral/rank-methods.ts";

interface Job {
  method: RankMethod;
  size: keyof typeof DECODER_SIZES;
  rank: number;
  context: number;
  batch: number;
  steps: number;
  blocks: number;
}

interface Result {
  footprint: Footprint;
  /** Of the whole process, at its peak. */
  peakBytes: number;
  stepSeconds: number;
  stepProcessorSeconds: number;
  /** Before the first step: building, decomposing, compiling. */
  startSeconds: number;
  loss: number[];
}

async function measure({ method, size, rank, context, batch, steps, blocks }: Job): Promise<Result> {
  const start = performance.now();
  const model = decoder({ ...DECODER_SIZES[size], context, batch, blocks });
  const sparsifier = createRankMethod(model, method, { rank });
  const rng = random(1);
  const { vocabulary } = DECODER_SIZES[size];
  const feeds = { input: zeros([batch, context], "int32"), labels: zeros([batch * context], "int32") };
  const clock: { wall: number; processor: number }[] = [];
  const now = () => {
    const { user, system } = process.cpuUsage();
    clock.push({ wall: performance.now() / 1e3, processor: (user + system) / 1e6 });
  };
  const loss: number[] = [];
  await train(
    model,
    ([logits], graph) => ({
      loss: crossEntropy(logits, input(graph, "labels", [batch * context], { dtype: "int32" })),
    }),
    {
      stepsPerEpoch: steps,
      *feeds() {
        now();
        for (let step = 0; step < steps; step++) {
          for (let i = 0; i < feeds.labels.data.length; i++) {
            feeds.input.data[i] = rng.integer(vocabulary);
            feeds.labels.data[i] = rng.integer(vocabulary);
          }
          yield feeds;
        }
      },
    },
    {
      epochs: 1,
      optimizer: { kind: "adam" },
      learningRate: 1e-4,
      sparsifier,
      onStep: (progress) => {
        loss.push(progress.loss);
        now();
      },
    },
  );
  const each = (pick: "wall" | "processor") => median(clock.slice(1).map((c, i) => c[pick] - clock[i][pick]));
  return {
    footprint: sparsifier.footprint(),
    peakBytes: process.resourceUsage().maxRSS * 1024,
    stepSeconds: each("wall"),
    stepProcessorSeconds: each("processor"),
    startSeconds: clock[0].wall - start / 1e3,
    loss,
  };
}

const own = ownJob<Job>();
if (own) finishJob(await measure(own));
else {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rank: { type: "string", default: "64" },
      context: { type: "string", default: "128" },
      batch: { type: "string", default: "1" },
      steps: { type: "string", default: "3" },
      blocks: { type: "string" },
    },
  });
  const size = (positionals[0] ?? "opt-125m") as Job["size"];
  const settings = {
    size,
    rank: Number(values.rank),
    context: Number(values.context),
    batch: Number(values.batch),
    steps: Number(values.steps),
    blocks: Number(values.blocks ?? DECODER_SIZES[size].blocks),
  };
  const jobs = (["full", "sst", "lora", "dora", "relora", "galore"] as const).map((method) => ({
    method,
    ...settings,
  }));
  const mb = (bytes: number) => Math.round(bytes / 1e6);
  const results = await runJobs<Job, Result>(
    jobs,
    1,
    join(ROOT, "runs", "bench"),
    ({ method }, { footprint, peakBytes, stepSeconds, stepProcessorSeconds }) =>
      console.log(
        `${method}: ${footprint.trainable} numbers train; weights ${mb(footprint.weights)} MB, gradients ${mb(footprint.gradients)} MB, optimiser ${mb(footprint.optimizer)} MB, peak ${mb(peakBytes)} MB; a step ${stepSeconds.toFixed(2)} s (${stepProcessorSeconds.toFixed(2)} s of processors)`,
      ),
  );
  await writeResults(
    "spectral-memory",
    ["npm run bench -- spectral-memory", ...process.argv.slice(2)].join(" "),
    {
      settings,
      rows: jobs.map(({ method }, i) => ({ method, ...results[i] })),
    },
  );
}
