import { createGraph, input, output } from "../../src/engine/graph.ts";
import { mul, reduceSum, sub } from "../../src/engine/operators/index.ts";
import { zeros } from "../../src/engine/tensor.ts";
import { svd } from "../../src/linalg/svd.ts";
import { layers } from "../../src/nn/layers.ts";
import type { OptimizerSpec } from "../../src/nn/optimizers.ts";
import type { TrainingMoment } from "../../src/nn/sparsifier.ts";
import { train } from "../../src/nn/trainer.ts";
import { deriveSeed, random } from "../../src/random.ts";
import type { RankMethod, RankOptions } from "../../src/sparsity/spectral/rank-methods.ts";
import { createRankMethod } from "../../src/sparsity/spectral/rank-methods.ts";

const WIDTH = 16;
export const RANK = 2;
export const STEPS = 2000;
export const ITERATION = 20;

export interface RecoveryOptions {
  method: RankMethod;
  spectral?: RankOptions["spectral"];
  optimizer?: OptimizerSpec;
  learningRate?: number;
  /** Steps of warm-up after every switch. */
  warmup?: number;
  seed: number;
}

export interface Recovery {
  /** ‖W − W*‖ after training. */
  distance: number;
  initial: number;
  /** What no change of rank 2 can get below (Eckart and Young). */
  floor: number;
  /** Norms of what the two factors move along, in every step; empty where there are none. */
  left: number[];
  right: number[];
  /** Singular values of W at the start of each iteration and at the end, and those of W*. */
  spectra: number[][];
  targetSpectrum: number[];
}

/** sst.md P1: from one random matrix to another under the loss ½‖W − W*‖², which is known exactly. */
export async function recover(options: RecoveryOptions): Promise<Recovery> {
  const { method, spectral, optimizer = { kind: "adam" }, learningRate = 0.01, warmup = 2, seed } = options;
  const rng = random(deriveSeed(seed, "recovery"));
  const normal = () => {
    const t = zeros([WIDTH, WIDTH]);
    for (let i = 0; i < t.data.length; i++) t.data[i] = rng.normal() / Math.sqrt(WIDTH);
    return t;
  };
  const [start, change] = [normal(), normal()];
  const target = start.data.map((v, i) => v + change.data[i]);

  const model = createGraph("recovery");
  const x = input(model, "x", [WIDTH, WIDTH]);
  const weight = { ...start, data: start.data.slice() };
  output(layers(model, 0).linear("map", x, WIDTH, { bias: false, initializer: () => weight }));
  const identity = zeros([WIDTH, WIDTH]);
  const wanted = zeros([WIDTH, WIDTH]);
  for (let i = 0; i < WIDTH; i++) {
    identity.data[i * (WIDTH + 1)] = 1;
    for (let j = 0; j < WIDTH; j++) wanted.data[i * WIDTH + j] = target[j * WIDTH + i];
  }
  const sparsifier = createRankMethod(model, method, {
    rank: RANK,
    layers: ["map.weight"],
    iterationSteps: ITERATION,
    roundIterations: WIDTH / RANK,
    warmup,
    spectral,
    seed,
  });
  const norms = { left: [] as number[], right: [] as number[] };
  const spectrum = (matrix: ArrayLike<number>) => [...svd(matrix, WIDTH, WIDTH).values];
  const spectra: number[][] = [];
  const beforeStep = ({ gradients, step }: TrainingMoment) => {
    if (step % ITERATION === 0) spectra.push(spectrum(model.parameters.get("map.weight")!.data));
    for (const [side, names] of [
      ["left", ["left", "up"]],
      ["right", ["right", "down"]],
    ] as const)
      for (const name of names) {
        const found = gradients.arrays[`map.weight/${name}`];
        if (found) norms[side].push(Math.hypot(...found));
      }
  };
  await train(
    model,
    ([y], graph) => {
      const error = sub(y, input(graph, "target", y.shape, { batched: false }));
      return { loss: mul(reduceSum(mul(error, error)), 0.5) };
    },
    {
      stepsPerEpoch: STEPS,
      *feeds(_, from) {
        for (let i = from; i < STEPS; i++) yield { x: identity, target: wanted };
      },
    },
    {
      epochs: 1,
      optimizer,
      learningRate,
      schedule: { kind: "cosine" },
      threads: 1,
      sparsifier: { ...sparsifier, beforeStep },
    },
  );
  const { values } = svd(change.data, WIDTH, WIDTH);
  const found = model.parameters.get("map.weight")!.data;
  return {
    distance: Math.hypot(...found.map((v, i) => v - target[i])),
    initial: Math.hypot(...change.data),
    floor: Math.hypot(...values.subarray(RANK)),
    ...norms,
    spectra: [...spectra, spectrum(found)],
    targetSpectrum: spectrum(target),
  };
}
