/**
 * How fast is a training step beside the other libraries that train in JavaScript: TensorFlow.js on its WebAssembly
 * backend and jax-js on its own? Prints medians, ratios (theirs / ours; above 1 we are faster) and peak memory, and
 * writes docs/results/javascript-peers.json. One thread each: theirs have no more in Node.js.
 *
 * The peers are no dependencies: install them in a folder of your own and name it.
 *   npm install --prefix /some/folder @tensorflow/tfjs @tensorflow/tfjs-backend-wasm @jax-js/jax
 *   npm run bench -- javascript-peers --peers /some/folder [--cases lenet] [--rounds 7]
 *
 * All are processes of their own with the same initial weights and data; the losses of their first three steps must
 * agree. They take turns, so that a busy machine is busy for all; on one that starves them, the ratio of the times on
 * the processor is the one to trust.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeResults } from "../protocols/support/results.ts";
import { writeSafetensors } from "../src/data/safetensors.ts";
import type { Tensor } from "../src/engine/tensor.ts";
import { median } from "../src/runs/latency.ts";
import type { Peer } from "./peers/peer.ts";
import { startPeer } from "./peers/peer.ts";
import { CASES } from "./training/cases.ts";
import { serve } from "./training/child.ts";

const { values: options } = parseArgs({
  options: {
    peers: { type: "string" },
    cases: {
      type: "string",
      default: "lenet-300-100,lenet,vgg,resnet20,modular-mlp,modular-transformer,transformer",
    },
    rounds: { type: "string", default: "7" },
    serve: { type: "string" },
  },
});

const LIBRARIES = {
  tfjs: { package: "@tensorflow/tfjs-backend-wasm", script: "tfjs-training.mjs", cases: undefined },
  // Not VGG and ResNet: at the rate of its convolutions in LeNet one step would take most of a minute.
  jax: {
    package: "@jax-js/jax",
    script: "jax-js-training.mjs",
    cases: ["lenet-300-100", "lenet", "modular-mlp", "modular-transformer", "transformer"],
  },
};
const INSTALL = "npm install --prefix <folder> @tensorflow/tfjs @tensorflow/tfjs-backend-wasm @jax-js/jax";
/** The first steps' losses may differ by this much, relatively; a wrong pooling gradient in a peer moved them by 8e-5. */
const LOSS_TOLERANCE = 1e-5;
/**
 * The third loss of a network with batch norm, which divides by small deviations and so amplifies the rounding of two
 * steps: 2.6e-5 for ResNet20, whose first loss agrees to 3e-7. Beside PyTorch it is 1e-4 as well.
 */
const BATCH_NORM_TOLERANCE = 1e-4;
/** Milliseconds of work in a turn. */
const TURN = 300;
/** A peer whose step takes longer than this, in milliseconds, is excused after three rounds. */
const SLOW = 2000;

const round = (x: number) => Number(x.toPrecision(3));

async function measure(name: string, libraries: string[], folder: string, rounds: number) {
  const { name: title, model, feeds, optimizer, learningRate, weightDecay } = CASES[name]();
  const scratch = mkdtempSync(join(tmpdir(), "filigree-bench-"));
  const weights = join(scratch, "weights.safetensors");
  const tensors = new Map<string, Tensor>(model.parameters);
  for (const [key, t] of Object.entries(feeds)) tensors.set(`feed/${key}`, t);
  writeFileSync(weights, writeSafetensors(tensors));
  const settings = JSON.stringify({ ...optimizer, learningRate, weightDecay });
  const peers: Record<string, Peer> = {};
  try {
    peers.filigree = await startPeer(process.execPath, [fileURLToPath(import.meta.url), "--serve", name]);
    for (const library of libraries as (keyof typeof LIBRARIES)[]) {
      if (!(LIBRARIES[library].cases?.includes(name) ?? true)) continue;
      const script = fileURLToPath(
        new URL(`../../bench/peers/${LIBRARIES[library].script}`, import.meta.url),
      );
      peers[library] = await startPeer(process.execPath, [script, name, weights, settings, folder]);
    }
    const sides = Object.entries(peers).map(([who, peer]) => ({
      who,
      peer,
      steps: 0,
      times: [] as number[],
      processor: [] as number[],
      losses: [] as number[],
      peakMiB: 0,
    }));
    const [ours, ...others] = sides;
    for (const side of sides) {
      const { losses, times } = await side.peer.take(3);
      side.losses = losses;
      side.steps = Math.max(1, Math.min(200, Math.round(TURN / Math.min(...times))));
    }
    for (const { who, losses } of others)
      losses.forEach((loss, i) => {
        const amplifies = i === 2 && model.nodes.some(({ op }) => op === "BatchNormalization");
        const tolerance = amplifies ? BATCH_NORM_TOLERANCE : LOSS_TOLERANCE;
        if (!(Math.abs(loss - ours.losses[i]) <= tolerance * Math.abs(ours.losses[i])))
          throw new Error(`${title}: loss of step ${i + 1} is ${ours.losses[i]} here and ${loss} in ${who}`);
      });
    for (let r = 0; r < rounds; r++)
      for (const side of sides) {
        if (r >= 3 && median(side.times) > SLOW) continue;
        // The other side's threads spin for a while after its turn.
        await sleep(30);
        const before = side.peer.busy();
        const answer = await side.peer.take(side.steps);
        side.processor.push((side.peer.busy() - before) / side.steps);
        side.times.push(median(answer.times));
        side.peakMiB = Math.round(answer.peakMemory);
      }
    const figures = ({ times, processor, peakMiB, losses }: (typeof sides)[number]) => ({
      milliseconds: round(median(times)),
      processorMilliseconds: round(median(processor)),
      peakMiB,
      losses,
    });
    return {
      case: name,
      title,
      filigree: figures(ours),
      peers: Object.fromEntries(
        others.map((side) => [
          side.who,
          {
            version: String(side.peer.hello.version),
            notes: side.peer.hello.notes as string[],
            ...figures(side),
            ratio: round(median(side.times.map((t, i) => t / ours.times[i]))),
            processorRatio: round(median(side.processor.map((t, i) => t / ours.processor[i]))),
          },
        ]),
      ),
    };
  } finally {
    for (const peer of Object.values(peers)) peer.end();
    rmSync(scratch, { recursive: true });
  }
}

async function main(): Promise<void> {
  const folder = options.peers && resolve(options.peers);
  const libraries = Object.entries(LIBRARIES)
    .filter(([, { package: name }]) => folder && existsSync(join(folder, "node_modules", name)))
    .map(([library]) => library);
  if (!folder || libraries.length === 0) {
    console.error(
      `Skipped: ${folder ? `${folder} holds no peers` : "no folder with peers given"}.\nInstall them with  ${INSTALL}\nand say           npm run bench -- javascript-peers --peers <folder>`,
    );
    return;
  }
  const rows: Awaited<ReturnType<typeof measure>>[] = [];
  for (const name of options.cases.split(",")) {
    const row = await measure(name, libraries, folder, Number(options.rounds));
    rows.push(row);
    console.log(
      `\n${row.title}\n  filigree  ${row.filigree.milliseconds} ms a step, ${row.filigree.peakMiB} MiB`,
    );
    for (const [who, peer] of Object.entries(row.peers)) {
      console.log(
        `  ${who.padEnd(8)}  ${peer.milliseconds} ms a step, ${peer.peakMiB} MiB: ${peer.ratio}× our time, ${peer.processorRatio}× our processor time (${peer.version})`,
      );
      for (const note of peer.notes) console.log(`            ${note}`);
    }
  }
  await writeResults("javascript-peers", "npm run bench -- javascript-peers --peers <folder>", {
    threads: 1,
    rounds: Number(options.rounds),
    rows,
  });
}

if (options.serve) await serve(options.serve, 1);
else await main();
