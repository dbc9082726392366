import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { gemm } from "../../src/engine/operators/index.ts";
import { tensor, zeros } from "../../src/engine/tensor.ts";
import type { OptimizerSpec } from "../../src/nn/optimizers.ts";
import { regression, regressionSource } from "../../src/nn/regression.ts";
import type { EpochRecord } from "../../src/nn/trainer.ts";
import { train } from "../../src/nn/trainer.ts";
import { random } from "../../src/random.ts";
import type { KAnneal, KAnnealOptions } from "../../src/sparsity/k-anneal.ts";
import { createKAnneal } from "../../src/sparsity/k-anneal.ts";
import { wgsefValue } from "../../src/sparsity/wgsef/value.ts";
import { vectors } from "./wgsef/reference.ts";

/** Least squares with 12 groups of 2 columns, whose optima under the envelope the vectors give. */
const v = vectors.regression;
const columns = 24;
const samples = v.y.length;
const inputs = tensor("float64", [samples, columns], v.X.flat());
const targets = tensor("float64", [samples], v.y);

export interface Solve {
  method?: Partial<KAnnealOptions>;
  optimizer?: OptimizerSpec;
  /** Samples a step; all 40 by default. */
  batch?: number;
  epochs: number;
  /** Of 1/L. */
  rate?: number;
  k?: number;
  /** λ of the method; the objective's is always .1. */
  lambda?: number;
  /** What the method is told of the optimiser, if that is not the truth. */
  told?: OptimizerSpec;
}

const LAMBDA = 0.1;

export interface Solution {
  theta: number[];
  support: number[];
  /** Objective above the least one that the vectors name. */
  excess: number;
  history: EpochRecord[];
  /** The certificate and the number of undecided groups of the last epoch. */
  gap: number;
  between: number;
  sparsifier: KAnneal;
}

/** Trains through the trainer and its joint, as everybody does. */
export async function solve({
  method,
  optimizer = { kind: "sgd" },
  batch = samples,
  epochs,
  rate = 1,
  k = 3,
  lambda = LAMBDA,
  told,
}: Solve): Promise<Solution> {
  const model = createGraph("linear");
  const x = input(model, "input", [batch, columns]);
  output(gemm(x, parameter(model, "w", zeros([1, columns])), { transB: true }));
  const sparsifier = createKAnneal({
    layers: [
      {
        name: "w",
        partition: { groups: 12, parts: [{ parameter: "w", outer: 1, channels: 12, inner: 2 }] },
        keep: k,
      },
    ],
    penalty: "wgsef-plain",
    fixedLambda: lambda,
    warmup: 0,
    weightDecay: 0,
    ...method,
  });
  const rng = random(4);
  const orders = Array.from({ length: epochs }, () => rng.permutation(samples));
  const { history } = await train(
    model,
    regression(),
    regressionSource(model, { inputs, targets }, (epoch) => orders[epoch]),
    {
      epochs,
      optimizer,
      learningRate: rate / v.L,
      sparsifier: {
        ...sparsifier,
        createOptimizer: (target, own, spec) => sparsifier.createOptimizer!(target, own, told ?? spec),
        stopWhen: undefined,
      },
      threads: 1,
    },
  );
  const theta = [...(model.parameters.get("w")!.data as Float32Array)];
  const norms = Float64Array.from({ length: 12 }, (_, j) => Math.hypot(theta[2 * j], theta[2 * j + 1]));
  const squares = v.X.map((row: number[], i: number) => {
    const error = row.reduce((sum, value, c) => sum + value * theta[c], -v.y[i]);
    return error * error;
  });
  const loss = squares.reduce((a: number, b: number) => a + b, 0) / (2 * samples);
  const wanted = v.plain.find((p: { k: number; lambda_: number }) => p.k === k && p.lambda_ === LAMBDA);
  return {
    theta,
    support: [...norms].flatMap((n, j) => (n > 0 ? [j] : [])),
    excess: loss + LAMBDA * wgsefValue(norms, { k }).value - (wanted?.objective ?? Number.NaN),
    history,
    gap: history.at(-1)!.metrics["gap/w"],
    between: history.at(-1)!.metrics["between/w"],
    sparsifier,
  };
}
