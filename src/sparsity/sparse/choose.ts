import type { Graph, Node } from "../../engine/graph.ts";
import { initializer } from "../../engine/graph.ts";
import { createSession } from "../../engine/session.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sizeOf, zeros } from "../../engine/tensor.ts";
import { random } from "../../random.ts";
import { undisturbed } from "../../undisturbed.ts";
import { accountModel } from "../accounting.ts";
import { layerName } from "../layers.ts";
import { pieceGraph, sparseLayers } from "./pieces.ts";
import type { Runner, RunnerOptions } from "./runner.ts";
import { createRunner } from "./runner.ts";

/** How one layer runs, and why. */
export interface LayerChoice {
  /** Name of the layer's node in the graph. */
  node: string;
  /** What people call it. */
  layer: string;
  /** Share of its weights that are not zero. */
  density: number;
  run: "dense" | "sparse";
  why: string;
  /** Milliseconds of the layer alone, where it was measured. */
  ms?: { dense: number; sparse: number };
}

/** What runs where. Plain data: saved as JSON and given back, it saves the measuring. */
export interface SparsePlan {
  batch: number;
  threads: number;
  /** Threads of the kernels; short work is done sooner by one. */
  kernelThreads: number;
  /** Samples that the kernels compute side by side; 0 where nothing runs sparse. */
  lanes: number;
  layers: LayerChoice[];
  why: string;
  /** Milliseconds of the whole network, each way that was tried. */
  ms?: Record<string, number>;
}

/** Fuller layers are left to ONNX Runtime without a trial: a wider vector unit and no indices win there. */
const WORTH_TRYING = 0.6;

/**
 * Networks of fewer multiply–accumulates a sample are tried whole, however full: they spend much of their time between products,
 * and ONNX Runtime fills their few channels up to its blocks of 8 or 16.
 */
const SMALL = 3e5;

export interface Chosen {
  plan: SparsePlan;
  runner: Runner;
}

type Options = RunnerOptions & { threads: number; kernelThreads: number };

/**
 * Measures every layer with zeros, dense by ONNX Runtime and sparse by the kernels, taking turns; then whole networks:
 * all dense; sparse where the layer alone was faster; sparse wherever that is possible, so that nothing is handed over
 * (of networks without zeros only small ones); the sparse ones with one thread and with all. The fastest of these is the choice.
 */
export async function choose(graph: Graph, options: Options): Promise<Chosen> {
  const candidates = sparseLayers(graph);
  const layers = new Map<Node, LayerChoice>();
  for (const node of candidates) layers.set(node, await measureLayer(graph, node, options));
  const faster = candidates.filter((node) => layers.get(node)!.run === "sparse");
  const trials: { name: string; nodes: Node[]; lanes?: number; kernelThreads?: number }[] = [
    { name: "dense", nodes: [] },
  ];
  const everywhere =
    layers.size > 0 && ([...layers.values()].some((l) => l.ms) || accountModel(graph).total.macs < SMALL);
  const batch = graph.types.get(graph.inputs[0])!.shape[0];
  const widths = batch >= 8 && candidates.some((n) => n.op === "Conv") ? [4, 16] : [undefined];
  const counts = options.kernelThreads > 1 ? [options.kernelThreads, 1] : [1];
  for (const kernelThreads of counts)
    for (const lanes of widths) {
      const beside = lanes ? `, ${lanes} samples side by side` : "";
      const suffix = counts.length > 1 ? `${beside}, threads: ${kernelThreads}` : beside;
      if (faster.length > 0 && faster.length < candidates.length)
        trials.push({ name: `sparse where a layer gains${suffix}`, nodes: faster, lanes, kernelThreads });
      if (everywhere)
        trials.push({ name: `sparse everywhere${suffix}`, nodes: candidates, lanes, kernelThreads });
    }
  const runners = await Promise.all(
    trials.map(({ nodes, lanes, kernelThreads }) =>
      createRunner(graph, new Set(nodes), { ...options, lanes, kernelThreads }),
    ),
  );
  const feeds = randomFeeds(graph);
  const times = await takeTurns(
    runners.map((runner) => () => runner.run(feeds)),
    options,
  );
  const best = times.indexOf(Math.min(...times));
  const runner = runners[best];
  await Promise.all(runners.filter((r) => r !== runner).map((r) => r.release()));
  const sparse = new Set(trials[best].nodes);
  return {
    runner,
    plan: {
      batch,
      threads: options.threads,
      kernelThreads: trials[best].kernelThreads ?? 1,
      lanes: runner.lanes,
      layers: candidates.map((node) => settled(layers.get(node)!, sparse.has(node), trials[best].name)),
      why: trials
        .map(({ name }, i) => ({ name, ms: times[i] }))
        .sort((a, b) => a.ms - b.ms)
        .map(({ name, ms }) => `${name} ${format(ms)}`)
        .join(" against "),
      ms: Object.fromEntries(trials.map(({ name }, i) => [name, times[i]])),
    },
  };
}

/** A layer's choice as the whole network's fastest trial has it. */
function settled(layer: LayerChoice, sparse: boolean, trial: string): LayerChoice {
  const run = sparse ? "sparse" : "dense";
  if (run === layer.run) return layer;
  return { ...layer, run, why: `${layer.why}; ${run} all the same: the whole network is fastest ${trial}` };
}

async function measureLayer(graph: Graph, node: Node, options: Options): Promise<LayerChoice> {
  const density = densityOf(initializer(graph, node.inputs[1])!);
  const known = { node: node.name, layer: layerName(graph, node), density };
  const percent = `${Number((100 * density).toPrecision(2))} %`;
  if (density > WORTH_TRYING)
    return { ...known, run: "dense", why: `dense: ${percent} of its weights are in use` };
  const ms = await timeLayer(graph, node, options);
  const [run, other]: ("dense" | "sparse")[] =
    ms.sparse < ms.dense ? ["sparse", "dense"] : ["dense", "sparse"];
  return {
    ...known,
    run,
    why: `${run} ${format(ms[run])} against ${other} ${format(ms[other])} at ${percent} density`,
    ms,
  };
}

/** Milliseconds of one layer of a graph alone, dense by ONNX Runtime and sparse by the kernels, which take turns. */
export async function timeLayer(
  graph: Graph,
  node: Node,
  options: Options,
): Promise<{ dense: number; sparse: number }> {
  const alone = pieceGraph(graph, {
    kind: "dense",
    nodes: [node],
    inputs: [node.inputs[0]],
    outputs: [...node.outputs],
  });
  const feeds = randomFeeds(alone);
  const dense = await createSession(alone, options);
  const sparse = await createRunner(alone, new Set([node]), options);
  // The kernels' memory should hold real numbers: zeros and leftovers can be slower or faster.
  await sparse.run(feeds);
  const results = Object.fromEntries(
    alone.outputs.map((name) => [name, zeros(alone.types.get(name)!.shape)]),
  );
  const [denseMs, sparseMs] = await takeTurns(
    [() => dense.run(feeds, results), async () => sparse.runSparse()],
    options,
  );
  await dense.release();
  await sparse.release();
  return { dense: denseMs, sparse: sparseMs };
}

export function densityOf({ data }: Tensor): number {
  let used = 0;
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) used++;
  return used / data.length;
}

const format = (ms: number) => `${Number(ms.toPrecision(2))} ms`;

function randomFeeds(graph: Graph): Record<string, Tensor> {
  const rng = random(0);
  return Object.fromEntries(
    graph.inputs.map((name): [string, Tensor] => {
      const { shape, dtype } = graph.types.get(name)!;
      const t = zeros(shape, dtype);
      if (t.dtype === "float32") for (let i = 0; i < sizeOf(shape); i++) t.data[i] = rng.normal();
      return [name, t];
    }),
  );
}

/** Milliseconds after which the idle threads of ONNX Runtime no longer look for work, which would hold up others. */
const REST = 30;

/** Milliseconds of each job, see `undisturbed`. They take turns, so that whatever else the machine does falls on all of them alike. */
async function takeTurns(
  jobs: readonly (() => Promise<unknown>)[],
  { threads }: { threads: number },
): Promise<number[]> {
  const times = jobs.map((): number[] => []);
  let spent = 0;
  for (let turn = 0; turn < 8 || (spent < 30 * jobs.length && turn < 50); turn++)
    for (const [i, job] of jobs.entries()) {
      const start = performance.now();
      await job();
      const time = performance.now() - start;
      if (threads > 1) await new Promise((resolve) => setTimeout(resolve, REST));
      // The first two turns warm up: compilers, caches, thread pools.
      if (turn < 2) continue;
      times[i].push(time);
      spent += time;
    }
  return times.map(undisturbed);
}
