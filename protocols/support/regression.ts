import type { GroupRegression } from "../../src/data/synthetic/group-regression.ts";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { gemm } from "../../src/engine/operators/index.ts";
import { zeros } from "../../src/engine/tensor.ts";
import type { OptimizerSpec } from "../../src/nn/optimizers.ts";
import { regression, regressionSource, squaredError } from "../../src/nn/regression.ts";
import { train } from "../../src/nn/trainer.ts";
import { random } from "../../src/random.ts";
import { groupNorms } from "../../src/sparsity/groups.ts";
import type { KAnnealOptions, LayerOutcome } from "../../src/sparsity/k-anneal.ts";
import { createKAnneal } from "../../src/sparsity/k-anneal.ts";

const GROUP_SIZE = 4;
/** Stages of 60 steps: λ grows in the first, the rest converge on what was selected. */
const SELECTION = 9;
const STAGES = SELECTION + 25;
const STEPS = 60;

export interface RegressionOptions {
  k: number;
  method?: Partial<KAnnealOptions>;
  optimizer?: OptimizerSpec;
  /** Samples a step; all by default. */
  batch?: number;
  /** Steps a stage, and their length in units of 1/L. */
  steps?: number;
  rate?: number;
  /** αλ at the start and the end of selection. */
  range?: readonly [number, number];
}

export interface RegressionResult {
  /** Groups left, and how many of them are among those that the targets depend on. */
  groups: number;
  true: number;
  mse: number;
  outcome: LayerOutcome;
}

/** Protocol P1 (wgsef.md 6) through trainer and controller: from zero, without warm-up, at the step 1/L. */
export async function selectGroups(
  { train: training, test, truth }: GroupRegression,
  {
    k,
    method,
    optimizer = { kind: "sgd" },
    batch,
    steps = STEPS,
    rate = 1,
    range = [0.001, 1],
  }: RegressionOptions,
): Promise<RegressionResult> {
  const [samples, columns] = training.inputs.shape;
  const size = batch ?? samples;
  const model = createGraph("linear");
  const weights = zeros([1, columns]);
  const x = input(model, "input", [size, columns]);
  output(gemm(x, parameter(model, "w", weights), { transB: true }));
  const groups = columns / GROUP_SIZE;
  const partition = { groups, parts: [{ parameter: "w", outer: 1, channels: groups, inner: GROUP_SIZE }] };
  const learningRate = rate / lipschitz(training.inputs.data, samples, columns);
  const [lambdaStart, last] = range.map((alphaLambda) => alphaLambda / learningRate);
  const sparsifier = createKAnneal({
    layers: [{ name: "w", partition, keep: k }],
    warmup: 0,
    select: SELECTION / STAGES,
    lambdaStart,
    // λ grows after each stage, so that it would arrive one stage after the last.
    lambdaEnd: lambdaStart * (last / lambdaStart) ** (SELECTION / (SELECTION - 1)),
    weightDecay: 0,
    ...method,
  });
  const rng = random(9);
  const orders = Array.from({ length: STAGES }, () =>
    Array.from({ length: Math.ceil((steps * size) / samples) }, () => [...rng.permutation(samples)]).flat(),
  );
  await train(
    model,
    regression(),
    regressionSource(model, training, (epoch) => orders[epoch]),
    {
      epochs: STAGES,
      optimizer,
      learningRate,
      sparsifier,
      threads: 1,
    },
  );
  const w = model.parameters.get("w")!.data as Float32Array;
  const alive = [...groupNorms(partition, { w })].flatMap((n, j) => (n > 0 ? [j] : []));
  return {
    groups: alive.length,
    true: alive.filter((j) => truth.includes(j)).length,
    mse: await squaredError(model, test, { threads: 1 }),
    outcome: sparsifier.outcomes()[0],
  };
}

/** ‖X‖²/n by power iteration. */
function lipschitz(x: Float64Array, samples: number, columns: number): number {
  let v = new Float64Array(columns).fill(1);
  let norm = Math.sqrt(columns);
  for (let i = 0; i < 300; i++) {
    const next = new Float64Array(columns);
    for (let n = 0; n < samples; n++) {
      let dot = 0;
      for (let c = 0; c < columns; c++) dot += x[n * columns + c] * v[c];
      for (let c = 0; c < columns; c++) next[c] += (dot * x[n * columns + c]) / (norm * samples);
    }
    v = next;
    norm = Math.hypot(...v);
  }
  return norm;
}
