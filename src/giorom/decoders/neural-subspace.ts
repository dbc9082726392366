import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { exportModel } from "../../engine/onnx/export.ts";
import { decodeModel } from "../../engine/onnx/proto.ts";
import { elu, matmul, meanSquaredError, mul, reshape } from "../../engine/operators/index.ts";
import { apply } from "../../engine/operators/operator.ts";
import { openSession, toRuntime } from "../../engine/runtime.ts";
import { createSession } from "../../engine/session.ts";
import { tensor, zeros } from "../../engine/tensor.ts";
import { layers } from "../../nn/layers.ts";
import { createOptimizer } from "../../nn/optimizers.ts";
import { createSchedule } from "../../nn/schedules.ts";
import { createTrainingStep } from "../../nn/training-step.ts";
import type { Dim } from "../../physics/particles.ts";
import { Problem } from "../../problem.ts";
import { deriveSeed, random } from "../../random.ts";
import type { Positions } from "../features.ts";
import type { DecoderTrainingOptions } from "./kernel-decoder.ts";
import { ridgeInverse } from "./solve.ts";
import { RIDGE } from "./subspace.ts";
import type { Geometry } from "./weightings.ts";

const HIDDEN_LAYERS = 5;
/** Width of a hidden layer for each dimension of space. */
const WIDTH = 10;
export const MODES = 20;
export const SUBSPACE_KEY = "filigree.giorom.subspace";

/** W(X): reference positions [points, dim], standardised, give modes [points, dim · MODES]; ELU after the last layer too (LiCROM). */
export function subspaceNetwork(dim: Dim, points: number, seed = 0): Graph {
  const graph = createGraph("giorom-subspace");
  const build = layers(graph, seed);
  let x = input(graph, "positions", [points, dim]);
  for (let i = 0; i < HIDDEN_LAYERS; i++) x = elu(build.linear(`modes.${i}`, x, dim * WIDTH));
  x = elu(build.linear(`modes.${HIDDEN_LAYERS}`, x, dim * MODES));
  output(apply(graph, "Identity", [x], {}, { name: "modes" })[0]);
  return graph;
}

interface Standard {
  mean: number[];
  std: number[];
}

const standardized = (points: Positions, { mean, std }: Standard) =>
  Float32Array.from(points, (x, i) => (x - mean[i % mean.length]) / std[i % mean.length]);

/** Points that the coefficients are fitted to, points that the fit is judged at, and frames of one step. */
const SOURCES = 64;
const QUERIES = 192;
const FRAMES = 4;

/**
 * Trains the modes by alternating least squares: coefficients are fitted to some points of a frame with the modes as they are, then the
 * modes take a step towards what other points do. The paper trains an encoder for the coefficients and drops it afterwards.
 */
export async function trainSubspace({
  dim,
  trajectories,
  steps = 1500,
  seed,
  threads,
  signal,
  onStep,
}: DecoderTrainingOptions): Promise<Uint8Array> {
  const standard = standardOf(trajectories, dim);
  const model = subspaceNetwork(dim, SOURCES + QUERIES, seed);
  const step = await createTrainingStep(
    model,
    ([modes], graph) => {
      const z = input(graph, "z", [MODES, FRAMES]);
      const targets = input(graph, "targets", [(SOURCES + QUERIES) * dim, FRAMES]);
      const found = matmul(reshape(modes, [(SOURCES + QUERIES) * dim, MODES]), z);
      return { loss: mul(meanSquaredError(found, targets), input(graph, "scale", [])) };
    },
    { threads },
  );
  const probe = subspaceNetwork(dim, SOURCES, seed);
  for (const [name, t] of step.parameters.tensors) probe.parameters.set(name, t);
  const session = await createSession(probe, { threads, feedParameters: true });
  const optimizer = createOptimizer({ kind: "adam" }, step);
  const schedule = createSchedule({ kind: "cosine" });
  const feeds = {
    positions: zeros([SOURCES + QUERIES, dim]),
    z: zeros([MODES, FRAMES]),
    targets: zeros([(SOURCES + QUERIES) * dim, FRAMES]),
    scale: zeros([]),
  };
  try {
    for (let at = 0; at < steps && !signal?.aborted; at++) {
      const rng = random(deriveSeed(seed, "subspace", at));
      const frames = trajectories[rng.integer(trajectories.length)];
      const points = frames[0].length / dim;
      const chosen = Array.from({ length: SOURCES + QUERIES }, () => rng.integer(points));
      const times = Array.from({ length: FRAMES }, () => 1 + rng.integer(frames.length - 1));
      const reference = Float64Array.from(
        { length: chosen.length * dim },
        (_, i) => frames[0][chosen[Math.floor(i / dim)] * dim + (i % dim)],
      );
      feeds.positions.data.set(standardized(reference, standard));
      let squares = 0;
      for (let i = 0; i < chosen.length * dim; i++)
        for (let f = 0; f < FRAMES; f++) {
          const from = chosen[Math.floor(i / dim)] * dim + (i % dim);
          const u = frames[times[f]][from] - frames[0][from];
          feeds.targets.data[i * FRAMES + f] = u;
          squares += u * u;
        }
      const own = tensor("float32", [SOURCES, dim], feeds.positions.data.slice(0, SOURCES * dim));
      const modes = (await session.run({ positions: own })).modes.data as Float32Array;
      const inverse = ridgeInverse(modes, SOURCES * dim, MODES, RIDGE);
      for (let k = 0; k < MODES; k++)
        for (let f = 0; f < FRAMES; f++) {
          let sum = 0;
          for (let i = 0; i < SOURCES * dim; i++)
            sum += inverse[k * SOURCES * dim + i] * feeds.targets.data[i * FRAMES + f];
          feeds.z.data[k * FRAMES + f] = sum;
        }
      feeds.scale.data[0] = feeds.targets.data.length / Math.max(squares, 1e-9);
      const { loss } = await step.run(feeds);
      const learningRate = 2e-3 * schedule(at, steps);
      optimizer.step(learningRate);
      onStep?.({ step: at + 1, steps, epoch: 0, loss, learningRate });
    }
  } finally {
    await session.release();
    await step.release();
  }
  const graph = subspaceNetwork(dim, 2);
  for (const name of graph.parameters.keys()) graph.parameters.set(name, model.parameters.get(name)!);
  return exportModel(graph, {
    metadata: { [SUBSPACE_KEY]: JSON.stringify({ dim, standard }) },
    dimensions: { positions: ["points", dim], modes: ["points", dim * MODES] },
  });
}

function standardOf(trajectories: readonly (readonly Positions[])[], dim: number): Standard {
  const axes = Array.from({ length: dim }, (_, k) => {
    const all = trajectories.flatMap(([first]) => Array.from(first).filter((_, i) => i % dim === k));
    const mean = all.reduce((a, b) => a + b, 0) / all.length;
    return { mean, std: Math.sqrt(all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length) || 1 };
  });
  return { mean: axes.map(({ mean }) => mean), std: axes.map(({ std }) => std) };
}

/** The trained modes at the sources and queries of a reference configuration, for `bakeModes`. */
export async function subspaceModes(bytes: Uint8Array, { dim, sources, queries }: Geometry) {
  const text = decodeModel(bytes).metadata[SUBSPACE_KEY];
  if (text === undefined)
    throw new Problem("not a subspace decoder: its metadata have no entry filigree.giorom.subspace");
  const own = JSON.parse(text) as { dim: Dim; standard: Standard };
  if (own.dim !== dim) throw new Problem(`the decoder is for ${own.dim}D, the points are in ${dim}D`);
  const session = await openSession(bytes, { threads: 1 });
  try {
    const at = async (points: Positions) => {
      const positions = tensor("float32", [points.length / dim, dim], standardized(points, own.standard));
      return (await session.run({ positions: toRuntime(positions) })).modes.data as Float32Array;
    };
    return { sources: await at(sources), queries: await at(queries), count: MODES };
  } finally {
    await session.release();
  }
}
