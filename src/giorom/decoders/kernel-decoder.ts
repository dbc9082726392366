import type { Graph } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { exportModel } from "../../engine/onnx/export.ts";
import { decodeModel } from "../../engine/onnx/proto.ts";
import { add, mul, reduceSum, reshape, slice, softmax, sub } from "../../engine/operators/index.ts";
import { apply } from "../../engine/operators/operator.ts";
import { openSession, toRuntime } from "../../engine/runtime.ts";
import type { SessionOptions } from "../../engine/session.ts";
import { tensor, zeros } from "../../engine/tensor.ts";
import { layers } from "../../nn/layers.ts";
import type { StepProgress, TrainingSource } from "../../nn/trainer.ts";
import { train } from "../../nn/trainer.ts";
import type { Objective } from "../../nn/training-step.ts";
import type { Dim } from "../../physics/particles.ts";
import { farthestPoints } from "../../physics/sampling.ts";
import { Problem } from "../../problem.ts";
import { deriveSeed, random } from "../../random.ts";
import { kernel } from "../dense.ts";
import type { Positions } from "../features.ts";
import type { Rows } from "./rows.ts";
import { evenRows } from "./rows.ts";
import type { Geometry } from "./weightings.ts";
import { affineWeights, NEIGHBORS, neighborsOf } from "./weightings.ts";

/** Widths of the hidden layers of the kernel's network. */
const HIDDEN = [32, 32];

/** Queries whose weights are computed in one run. */
const CHUNK = 8192;

export const KERNEL_KEY = "filigree.giorom.decoder";

/**
 * The kernel decoder D1 (GIOROM spec 3.10): geometry [queries, k, dim + 1], the vector to each source and its length in units of
 * the sample's scale, gives weights [queries, k] that sum to 1: softmax of an MLP plus a Gaussian. They depend on the
 * reference configuration alone, so they are computed once.
 */
export function kernelDecoder(dim: Dim, queries: number, k: number, seed = 0): Graph {
  const graph = createGraph("giorom-decoder");
  const geometry = input(graph, "geometry", [queries, k, dim + 1]);
  const logits = kernel(layers(graph, seed), "kernel", [geometry], [...HIDDEN, 1]);
  const q = slice(geometry, { 2: { start: dim } });
  const weights = softmax(reshape(add(logits, mul(mul(q, q), -2)), [-1, k]));
  output(apply(graph, "Identity", [weights], {}, { name: "weights" })[0]);
  return graph;
}

/** Root mean square distance of a sample's points to their nearest others: it makes the kernel independent of scale. */
export function sampleScale(sources: Positions, dim: Dim): number {
  const { squaredDistances, k } = neighborsOf({ dim, sources, queries: sources }, NEIGHBORS + 1);
  const points = sources.length / dim;
  return Math.sqrt(squaredDistances.reduce((a, b) => a + b, 0) / Math.max(1, points * (k - 1))) || 1;
}

function writeGeometry(
  { dim, sources, queries }: Geometry,
  neighbors: Uint32Array,
  k: number,
  scale: number,
  chosen: ArrayLike<number>,
  out: Float32Array,
): void {
  let at = 0;
  for (let row = 0; row < chosen.length; row++) {
    const q = chosen[row];
    for (let j = 0; j < k; j++) {
      const source = neighbors[q * k + j];
      let squared = 0;
      for (let a = 0; a < dim; a++) {
        const offset = (sources[source * dim + a] - queries[q * dim + a]) / scale;
        out[at++] = offset;
        squared += offset * offset;
      }
      out[at++] = Math.sqrt(squared);
    }
  }
}

/** A trained kernel decoder, ready to be baked for any reference configuration. */
export interface KernelDecoder {
  /** `affine` fits an affine function under the kernel's weights, which keeps all affine motions exact. */
  rows(geometry: Geometry, options?: { affine?: boolean }): Promise<Rows>;
  release(): Promise<void>;
}

/** A decoder as an .onnx file, for any number of queries. */
export function exportKernelDecoder(trained: Graph, dim: Dim): Uint8Array {
  const graph = kernelDecoder(dim, 2, NEIGHBORS);
  for (const name of graph.parameters.keys()) graph.parameters.set(name, trained.parameters.get(name)!);
  return exportModel(graph, {
    metadata: { [KERNEL_KEY]: JSON.stringify({ dim, neighbors: NEIGHBORS }) },
    dimensions: { geometry: ["queries", NEIGHBORS, dim + 1], weights: ["queries", NEIGHBORS] },
  });
}

export async function openKernelDecoder(
  bytes: Uint8Array,
  options: SessionOptions = {},
): Promise<KernelDecoder> {
  const text = decodeModel(bytes).metadata[KERNEL_KEY];
  if (text === undefined)
    throw new Problem("not a kernel decoder: its metadata have no entry filigree.giorom.decoder");
  const { dim, neighbors } = JSON.parse(text) as { dim: Dim; neighbors: number };
  const session = await openSession(bytes, options);
  return {
    rows: async (geometry, { affine = false } = {}) => {
      if (geometry.dim !== dim)
        throw new Problem(`the decoder is for ${dim}D, the points are in ${geometry.dim}D`);
      const { indices, k } = neighborsOf(geometry, neighbors);
      if (k < neighbors) throw new Problem(`the decoder needs at least ${neighbors} sources, found ${k}`);
      const scale = sampleScale(geometry.sources, dim);
      const total = indices.length / k;
      const weights = new Float32Array(indices.length);
      for (let from = 0; from < total; from += CHUNK) {
        const size = Math.min(CHUNK, total - from);
        const features = new Float32Array(size * k * (dim + 1));
        const chosen = Uint32Array.from({ length: size }, (_, i) => from + i);
        writeGeometry(geometry, indices, k, scale, chosen, features);
        const feeds = { geometry: toRuntime(tensor("float32", [size, k, dim + 1], features)) };
        weights.set((await session.run(feeds)).weights.data as Float32Array, from * k);
      }
      const used = affine ? affineWeights(geometry, indices, weights, k, scale) : weights;
      return evenRows(indices, used, k, geometry.sources.length / dim);
    },
    release: () => session.release(),
  };
}

export interface DecoderTrainingOptions {
  dim: Dim;
  /** Trajectories of dense clouds, each frame [points, dim]. */
  trajectories: readonly (readonly Positions[])[];
  /** Share of the points that are sources. Default 0.2. */
  ratio?: number;
  /** Default 1500, 2500 for the networks that run in every frame. */
  steps?: number;
  seed: number;
  threads?: number;
  /** Ends training after the step at hand. */
  signal?: AbortSignal;
  onStep?(progress: StepProgress): void;
}

/** Queries of one step, from one frame of one trajectory. */
const QUERIES = 256;

/**
 * Trains the kernel on true displacements: random frames, random queries, the squared error divided by the variance of the
 * displacements. Gives the .onnx file.
 */
export async function trainKernelDecoder(options: DecoderTrainingOptions): Promise<Uint8Array> {
  const { dim, seed, threads, signal, onStep } = options;
  const model = kernelDecoder(dim, QUERIES, NEIGHBORS, seed);
  const objective: Objective = ([weights], graph) => {
    const displacements = input(graph, "displacements", [QUERIES, NEIGHBORS, dim]);
    const targets = input(graph, "targets", [QUERIES, dim]);
    const found = reduceSum(mul(reshape(weights, [QUERIES, NEIGHBORS, 1]), displacements), [1]);
    const off = sub(found, targets);
    return { loss: mul(reduceSum(mul(off, off)), input(graph, "scale", [])) };
  };
  await train(model, objective, decoderSource(options), {
    epochs: 1,
    optimizer: { kind: "adam" },
    learningRate: 3e-3,
    schedule: { kind: "cosine" },
    threads,
    signal,
    onStep,
  });
  return exportKernelDecoder(model, dim);
}

function decoderSource({
  dim,
  trajectories,
  ratio = 0.2,
  steps = 1500,
  seed,
}: DecoderTrainingOptions): TrainingSource {
  const samples = trajectories.map((frames) => {
    const points = frames[0].length / dim;
    const sources = farthestPoints(frames[0], dim, Math.max(NEIGHBORS + 1, Math.round(ratio * points)));
    const reference = Float64Array.from(
      { length: sources.length * dim },
      (_, i) => frames[0][sources[Math.floor(i / dim)] * dim + (i % dim)],
    );
    const geometry: Geometry = { dim, sources: reference, queries: frames[0] };
    const { indices } = neighborsOf(geometry);
    return { frames, sources, geometry, indices, scale: sampleScale(reference, dim) };
  });
  const feeds = {
    geometry: zeros([QUERIES, NEIGHBORS, dim + 1]),
    displacements: zeros([QUERIES, NEIGHBORS, dim]),
    targets: zeros([QUERIES, dim]),
    scale: zeros([]),
  };
  return {
    stepsPerEpoch: steps,
    *feeds(_, from) {
      for (let step = from; step < steps; step++) {
        const rng = random(deriveSeed(seed, "decoder", step));
        const { frames, sources, geometry, indices, scale } = samples[rng.integer(samples.length)];
        const now = frames[1 + rng.integer(frames.length - 1)];
        const chosen = Uint32Array.from({ length: QUERIES }, () => rng.integer(now.length / dim));
        writeGeometry(geometry, indices, NEIGHBORS, scale, chosen, feeds.geometry.data);
        const moved = (point: number, axis: number) =>
          now[point * dim + axis] - frames[0][point * dim + axis];
        let [mean, squares, at] = [0, 0, 0];
        chosen.forEach((q, row) => {
          for (let j = 0; j < NEIGHBORS; j++)
            for (let a = 0; a < dim; a++)
              feeds.displacements.data[at++] = moved(sources[indices[q * NEIGHBORS + j]], a);
          for (let a = 0; a < dim; a++) {
            const u = (feeds.targets.data[row * dim + a] = moved(q, a));
            mean += u / (QUERIES * dim);
            squares += (u * u) / (QUERIES * dim);
          }
        });
        feeds.scale.data[0] = 1 / (QUERIES * dim * Math.max(squares - mean * mean, 1e-12));
        yield feeds;
      }
    },
  };
}
