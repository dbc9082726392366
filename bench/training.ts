/**
 * How fast is a training step, forward, backward and optimiser, beside PyTorch in eager mode? Prints a table of medians
 * and ratios (ours / PyTorch's; below 1 is faster); with all cases it writes docs/results/training-speed.json.
 *
 * Both sides are processes of their own with the same initial weights and data; the losses of their first three steps
 * must agree. They take turns, so that a busy machine is busy for both.
 *
 * usage: training.js [--cases lenet,vgg] [--threads 1,2] [--rounds 9] [--python /usr/bin/python3]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeResults } from "../protocols/support/results.ts";
import { writeNpz } from "../src/data/npz.ts";
import type { Tensor } from "../src/engine/tensor.ts";
import { median } from "../src/runs/latency.ts";
import type { Peer } from "./peers/peer.ts";
import { startPeer } from "./peers/peer.ts";
import { pythonWithTorch, torchEnvironment } from "./peers/torch.ts";
import { CASES, SEED } from "./training/cases.ts";
import { serve } from "./training/child.ts";

const { values: options } = parseArgs({
  options: {
    cases: { type: "string", default: Object.keys(CASES).join() },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "9" },
    python: { type: "string", default: "/usr/bin/python3" },
    serve: { type: "string" },
  },
});

/** The first steps' losses may differ by this much, relatively: single precision, sums in another order. */
const LOSS_TOLERANCE = 1e-4;
/** Milliseconds of work in a turn. */
const TURN = 300;

async function measure(name: string, threads: number, rounds: number, python: string | undefined) {
  const { name: title, model, feeds, optimizer, learningRate, weightDecay } = CASES[name]();
  const folder = mkdtempSync(join(tmpdir(), "filigree-bench-"));
  const weights = join(folder, "weights.npz");
  const tensors = new Map<string, Tensor>(model.parameters);
  for (const [key, t] of Object.entries(feeds)) tensors.set(`feed/${key}`, t);
  writeFileSync(weights, writeNpz(tensors, { compress: false }));
  const settings = { ...optimizer, learningRate, weightDecay };
  const self = fileURLToPath(import.meta.url);
  const peers: Record<string, Peer> = {
    filigree: await startPeer(process.execPath, [self, "--serve", name, "--threads", `${threads}`]),
  };
  try {
    if (python) {
      const script = fileURLToPath(new URL("../../bench/peers/torch-training.py", import.meta.url));
      const args = [script, name, `${threads}`, weights, JSON.stringify(settings)];
      peers.torch = await startPeer(python, args, torchEnvironment(threads));
    }
    if (peers.torch && !/openblas|mkl|blis/i.test(String(peers.torch.hello.blas)))
      console.error(
        "PyTorch runs on the reference BLAS, which nobody would use: install libopenblas0-pthread.",
      );
    const times: Record<string, number[]> = {};
    const fastest: Record<string, number> = {};
    const memory: Record<string, number> = {};
    const steps: Record<string, number> = {};
    const losses: Record<string, number[]> = {};
    for (const [who, peer] of Object.entries(peers)) {
      losses[who] = (await peer.take(3)).losses;
      const warm = await peer.take(3);
      steps[who] = Math.max(2, Math.min(200, Math.round(TURN / median(warm.times))));
      times[who] = [];
      fastest[who] = Number.POSITIVE_INFINITY;
    }
    if (peers.torch)
      losses.filigree.forEach((loss, i) => {
        const expected = losses.torch[i];
        if (!(Math.abs(loss - expected) <= LOSS_TOLERANCE * Math.abs(expected)))
          throw new Error(`${title}: loss of step ${i + 1} is ${loss} here and ${expected} in PyTorch`);
      });
    for (let round = 0; round < rounds; round++)
      for (const [who, peer] of Object.entries(peers)) {
        // The other side's threads spin for a while after its turn; the first step warms the caches.
        await sleep(30);
        const answer = await peer.take(steps[who] + 1);
        times[who].push(median(answer.times.slice(1)));
        fastest[who] = Math.min(fastest[who], ...answer.times);
        memory[who] = answer.peakMemory;
      }
    const side = (who: string) => ({
      milliseconds: Number(median(times[who]).toFixed(3)),
      fastest: Number(fastest[who].toFixed(3)),
      peakMiB: Math.round(memory[who]),
    });
    const ratios = peers.torch ? times.filigree.map((t, i) => t / times.torch[i]) : [];
    return {
      case: name,
      title,
      threads,
      filigree: side("filigree"),
      ...(peers.torch && {
        torch: { ...side("torch"), ...peers.torch.hello },
        ratio: Number(median(ratios).toFixed(3)),
        ratioOfFastest: Number((fastest.filigree / fastest.torch).toFixed(3)),
      }),
      losses: losses.filigree,
    };
  } finally {
    for (const peer of Object.values(peers)) peer.end();
    rmSync(folder, { recursive: true });
  }
}

async function main(): Promise<void> {
  const python = pythonWithTorch(options.python);
  const rows: Awaited<ReturnType<typeof measure>>[] = [];
  const cell = (value: unknown, width: number) => String(value ?? "–").padStart(width);
  console.log(`${"step, milliseconds".padEnd(58)} threads filigree  PyTorch   ratio (fastest)  MiB    MiB`);
  for (const name of options.cases.split(","))
    for (const threads of options.threads.split(",").map(Number)) {
      const row = await measure(name, threads, Number(options.rounds), python);
      rows.push(row);
      console.log(
        row.title.padEnd(58),
        cell(threads, 7),
        cell(row.filigree.milliseconds, 8),
        cell(row.torch?.milliseconds, 8),
        cell(row.ratio, 7),
        cell(row.ratioOfFastest, 9),
        cell(row.filigree.peakMiB, 6),
        cell(row.torch?.peakMiB, 6),
      );
    }
  if (rows.length < Object.keys(CASES).length) return;
  // Processes that wanted a core, on average over the last 15 minutes: more than these benchmarks' own means noise.
  const load = Number(loadavg()[2].toFixed(2));
  await writeResults("training-speed", "npm run bench -- training", { load, seed: SEED, rows });
}

if (options.serve) await serve(options.serve, Number(options.threads));
else await main();
