import type { Tensor } from "../../engine/tensor.ts";
import type { Random } from "../../random.ts";
import { random } from "../../random.ts";

export interface GroupRegressionOptions {
  seed?: number;
  train?: number;
  test?: number;
  groups?: number;
  /** Columns a group. */
  groupSize?: number;
  /** Groups that the targets depend on. */
  relevant?: number;
  /** Correlation of any two columns, from a factor that all share. */
  correlation?: number;
  /** Standard deviation of the noise on the training targets. */
  noise?: number;
}

export interface GroupRegression {
  /** Inputs [samples, groups·groupSize], columns of root mean square 1 in the training set; targets [samples]. */
  train: { inputs: Tensor<"float64">; targets: Tensor<"float64"> };
  /** Without noise. */
  test: { inputs: Tensor<"float64">; targets: Tensor<"float64"> };
  /** The groups that the targets depend on, ascending. */
  truth: number[];
}

/** Sparse linear data: a few groups of columns matter, all are correlated (wgsef.md 6, P1). */
export function groupRegression(options: GroupRegressionOptions = {}): GroupRegression {
  const { seed = 0, train = 150, test = 500, groups = 60, groupSize = 4, relevant = 6 } = options;
  const { correlation = 0.3, noise = 0.3 } = options;
  const rng = random(seed);
  const columns = groups * groupSize;
  const truth = [...rng.permutation(groups).subarray(0, relevant)].sort((a, b) => a - b);
  const theta = new Float64Array(columns);
  for (const j of truth) for (let i = 0; i < groupSize; i++) theta[j * groupSize + i] = rng.normal();
  const training = draw(train, columns, correlation, noise, rng);
  const testing = draw(test, columns, correlation, 0, rng);
  for (let c = 0; c < columns; c++) {
    let squares = 0;
    for (let n = 0; n < train; n++) squares += training.inputs[n * columns + c] ** 2;
    const rms = Math.sqrt(squares / train);
    for (const { inputs } of [training, testing])
      for (let i = c; i < inputs.length; i += columns) inputs[i] /= rms;
  }
  return { train: labelled(training, theta), test: labelled(testing, theta), truth };
}

interface Draw {
  inputs: Float64Array<ArrayBuffer>;
  errors: Float64Array;
}

function draw(
  samples: number,
  columns: number,
  correlation: number,
  noise: number,
  { normal }: Random,
): Draw {
  const inputs = new Float64Array(samples * columns);
  for (let n = 0; n < samples; n++) {
    const shared = normal();
    for (let c = 0; c < columns; c++)
      inputs[n * columns + c] = Math.sqrt(correlation) * shared + Math.sqrt(1 - correlation) * normal();
  }
  return { inputs, errors: Float64Array.from({ length: samples }, () => noise * normal()) };
}

function labelled({ inputs, errors }: Draw, theta: Float64Array): GroupRegression["train"] {
  const targets = new Float64Array(errors);
  for (let n = 0; n < targets.length; n++)
    for (let c = 0; c < theta.length; c++) targets[n] += theta[c] * inputs[n * theta.length + c];
  return {
    inputs: { dtype: "float64", shape: [targets.length, theta.length], data: inputs },
    targets: { dtype: "float64", shape: [targets.length], data: targets },
  };
}
