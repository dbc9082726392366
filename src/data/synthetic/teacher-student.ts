import type { Tensor } from "../../engine/tensor.ts";
import { random } from "../../random.ts";

const INPUTS = 10;
const NEURONS = 6;

/** Inputs [samples, 10] and targets [samples], in double precision. */
export interface Regression {
  inputs: Tensor<"float64">;
  targets: Tensor<"float64">;
}

export interface TeacherStudent {
  train: Regression;
  /** Without noise. */
  test: Regression;
  teacher: {
    /** [6, 10], rows of unit length. */
    weights: Float64Array;
    biases: Float64Array;
    outputs: Float64Array;
  };
}

export interface TeacherStudentOptions {
  /** Chooses the data; the teacher is always the same. */
  seed?: number;
  train?: number;
  test?: number;
  /** Standard deviation of the noise on the training targets. */
  noise?: number;
}

/**
 * Regression data from a fixed network of 6 ReLU neurons: y = Σ outputs·relu(W x + b). A student with exactly 6
 * neurons can learn it, one with 3 cannot. (`specs/wgsef.md`, 7.5; the draws are in its order, number by number.)
 */
export function teacherStudent(options: TeacherStudentOptions = {}): TeacherStudent {
  const { seed = 0, train = 1000, test = 2000, noise = 0.05 } = options;
  const teacher = drawTeacher();
  const { normal } = random(1000 + seed);
  const draw = (count: number) => Float64Array.from({ length: count }, normal);
  const trainInputs = draw(train * INPUTS);
  const errors = draw(train);
  const testInputs = draw(test * INPUTS);
  const clean = answer(teacher, trainInputs);
  return {
    train: pair(
      trainInputs,
      clean.map((y, i) => y + noise * errors[i]),
    ),
    test: pair(testInputs, answer(teacher, testInputs)),
    teacher,
  };
}

function drawTeacher(): TeacherStudent["teacher"] {
  const { normal, uniform } = random(7);
  const weights = Float64Array.from({ length: NEURONS * INPUTS }, normal);
  for (let row = 0; row < NEURONS; row++) {
    const w = weights.subarray(row * INPUTS, (row + 1) * INPUTS);
    const length = Math.hypot(...w);
    for (let i = 0; i < INPUTS; i++) w[i] /= length;
  }
  const biases = Float64Array.from({ length: NEURONS }, () => 0.3 * normal());
  const outputs = Float64Array.from({ length: NEURONS }, () => (uniform() < 0.5 ? 1 : -1) * (1 + uniform()));
  return { weights, biases, outputs };
}

function answer({ weights, biases, outputs }: TeacherStudent["teacher"], inputs: Float64Array): Float64Array {
  return Float64Array.from({ length: inputs.length / INPUTS }, (_, n) => {
    let y = 0;
    for (let row = 0; row < NEURONS; row++) {
      let a = biases[row];
      for (let i = 0; i < INPUTS; i++) a += weights[row * INPUTS + i] * inputs[n * INPUTS + i];
      y += outputs[row] * Math.max(0, a);
    }
    return y;
  });
}

function pair(inputs: Float64Array, targets: Float64Array): Regression {
  return {
    inputs: { dtype: "float64", shape: [targets.length, INPUTS], data: inputs as Float64Array<ArrayBuffer> },
    targets: { dtype: "float64", shape: [targets.length], data: targets as Float64Array<ArrayBuffer> },
  };
}
